-- The tables that the runbook names, with enough rows to look real and none of its five indexes.
CREATE EXTENSION IF NOT EXISTS pg_stat_statements;

CREATE TABLE organizations (
  id bigint PRIMARY KEY,
  name text NOT NULL,
  created_at timestamptz NOT NULL
);
CREATE TABLE users (
  id bigint PRIMARY KEY,
  organization_id bigint NOT NULL REFERENCES organizations,
  email text NOT NULL
);
CREATE TABLE subscriptions (
  id bigint PRIMARY KEY,
  organization_id bigint NOT NULL REFERENCES organizations,
  stripe_customer_id text NOT NULL,
  plan text NOT NULL
);
CREATE TABLE trial_lifecycle (
  id bigint PRIMARY KEY,
  organization_id bigint NOT NULL REFERENCES organizations,
  status text NOT NULL
);
CREATE TABLE llm_request_logs (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  organization_id bigint NOT NULL REFERENCES organizations,
  provider text NOT NULL,
  model text NOT NULL,
  cost_usd numeric(12, 6) NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);

-- Push notifications: who can be reached, what became of each, and what waits to be sent.
CREATE TABLE push_tokens (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  user_id bigint NOT NULL REFERENCES users,
  token text NOT NULL UNIQUE,
  registered_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE push_receipts (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  token_id bigint NOT NULL,
  kind text NOT NULL,
  bytes int NOT NULL,
  error text NOT NULL DEFAULT '',
  at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX push_receipts_of_token ON push_receipts (token_id, error, at);
CREATE INDEX push_receipts_at ON push_receipts (at);
CREATE TABLE push_queue (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  token_id bigint NOT NULL REFERENCES push_tokens ON DELETE CASCADE,
  kind text NOT NULL,
  title text NOT NULL,
  body text NOT NULL,
  data jsonb NOT NULL DEFAULT '{}',
  urgent boolean NOT NULL DEFAULT false,
  created_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz NOT NULL,
  state text NOT NULL DEFAULT 'queued'
    CHECK (state IN ('queued', 'claimed', 'sent', 'failed', 'unknown', 'expired', 'emailed')),
  claimed_by text NOT NULL DEFAULT '',
  claimed_at timestamptz,
  ticket text NOT NULL DEFAULT '',
  receipt text NOT NULL DEFAULT '',
  error text NOT NULL DEFAULT ''
);
CREATE INDEX push_queue_waiting ON push_queue (urgent DESC, id) WHERE state = 'queued';
CREATE INDEX push_queue_claims ON push_queue (claimed_by) WHERE claimed_by <> '';

INSERT INTO organizations
SELECT n, 'Organization ' || n, now() - n * interval '1 day' FROM generate_series(1, 200) AS n;
INSERT INTO users
SELECT n, 1 + n % 200, 'user' || n || '@example.com' FROM generate_series(1, 2000) AS n;
INSERT INTO subscriptions
SELECT n, n, 'cus_' || n, (ARRAY['starter', 'growth', 'scale'])[1 + n % 3]
FROM generate_series(1, 200) AS n;
INSERT INTO trial_lifecycle
SELECT n, 1 + n % 200, (ARRAY['active', 'converted', 'expired'])[1 + n % 3]
FROM generate_series(1, 300) AS n;
INSERT INTO llm_request_logs (organization_id, provider, model, cost_usd, created_at)
SELECT 1 + n % 200, 'openai', 'gpt-4', 0.002, now() - n * interval '1 minute'
FROM generate_series(1, 3000) AS n;
INSERT INTO push_tokens (user_id, token, registered_at)
SELECT n, 'ExponentPushToken[phone-' || n || ']', now() - interval '90 days'
FROM generate_series(1, 1000) AS n;
-- Stands for a slow disk: it takes a millisecond for every row that is read.
CREATE FUNCTION read_slowly(row_id bigint) RETURNS boolean
LANGUAGE plpgsql COST 0.0001 AS 'BEGIN PERFORM pg_sleep(0.001); RETURN true; END';
ANALYZE;
