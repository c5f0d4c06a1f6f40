import re
from urllib.parse import quote

import pytest

from activities.expressions import any_of, expression_of, matcher, measured, selector
from activities.redaction import redact


@pytest.mark.parametrize(
    ("value", "written"),
    [
        pytest.param("api", 'job="api"', id="a plain value"),
        pytest.param('a"} or up{x="', r'job="a\"} or up{x=\""', id="a value that would break out"),
        pytest.param("a\\b\nc", r'job="a\\b\nc"', id="a backslash and a new line"),
    ],
)
def test_a_matcher_cannot_be_broken_out_of(value, written):
    assert matcher("job", value) == written


@pytest.mark.parametrize("label", ["", "a-b", "1a", 'x="y",job', "a b", "é"])
def test_what_is_no_label_is_refused(label):
    with pytest.raises(ValueError, match="not the name of a label"):
        matcher(label, "x")


def test_a_selector_has_its_labels_in_order():
    assert selector("up", {"job": "a", "env": "b"}) == 'up{env="b",job="a"}'
    with pytest.raises(ValueError, match="not the name of a metric"):
        selector("up} or vector(1", {})


def test_any_of_takes_values_literally():
    assert any_of("x", ("a.b", "c|d")) == r'x=~"a\\.b|c\\|d"'


@pytest.mark.parametrize(
    ("url", "expression"),
    [
        pytest.param(
            "http://p:9090/graph?g0.expr=" + quote('a{b="c&d"} > 0.5') + "&g0.tab=1",
            'a{b="c&d"} > 0.5',
            id="as Prometheus writes it",
        ),
        pytest.param("http://p:9090/graph?g0.expr=up+%3D%3D+0&g0.tab=1", "up == 0", id="with plus"),
        pytest.param("http://grafana/alerting/x/view", None, id="of another maker"),
        pytest.param("", None, id="none"),
        pytest.param("http://[broken?g0.expr=up", None, id="no address"),
        pytest.param("http://p/graph?g0.expr=" + "x" * 5000, None, id="longer than is asked"),
        pytest.param("http://p/graph?" + "a=1&" * 60 + "g0.expr=up", None, id="too many fields"),
    ],
)
def test_the_expression_is_read_out_of_the_generator_s_address(url, expression):
    assert expression_of(url) == expression


@pytest.mark.parametrize(
    ("expression", "left"),
    [
        pytest.param("up == 0", "up", id="a comparison"),
        pytest.param("a / b > 0.05 and c > 1", "a / b", id="a comparison with a floor"),
        pytest.param("(a > 1) and (b > 2)", "a", id="comparisons in brackets"),
        pytest.param("((a / b > 0.9))", "a / b", id="brackets around all"),
        pytest.param('sum(rate(x{s=~"5..", p!="/a > b"}[5m])) > 3',
                     'sum(rate(x{s=~"5..", p!="/a > b"}[5m]))', id="comparisons inside labels"),
        pytest.param("sum(a > 1)", None, id="a comparison inside a function only"),
        pytest.param("absent(up)", None, id="no comparison"),
        pytest.param("random_metric >= 1", "random_metric", id="a name with an operator in it"),
        pytest.param("a # > 1\n> 2", "a # > 1", id="a comment"),
        pytest.param('"unclosed', None, id="no PromQL at all"),
    ],
)  # fmt: skip
def test_what_an_alert_measures_is_taken_out_of_its_expression(expression, left):
    assert measured(expression) == left


@pytest.mark.parametrize(
    "secret_text",
    [
        "DATABASE_PASSWORD=s3cr3t-x",
        '"api_key": "s3cr3t-x"',
        "Authorization: Bearer s3cr3t-x.y",
        "postgres://app:s3cr3t-x@db:5432/app",
        "sk-ant-s3cr3t-xxxxxxxxxxxxxxxx",
        "redis://:s3cr3t-x@cache:6379",
        "-----BEGIN OPENSSH PRIVATE KEY-----\ns3cr3t-x\n-----END OPENSSH PRIVATE KEY-----",
    ],
)
def test_credentials_are_taken_out_of_a_text(secret_text):
    left = redact(f"before {secret_text} after")
    assert "s3cr3t" not in left
    assert left.startswith("before")
    assert re.search(r"after$", left)


def test_a_text_without_credentials_stays_as_it_is():
    text = "GET /tokens/list 200 author=ana key not found, 3 errors at 12:00"
    assert redact(text) == text
