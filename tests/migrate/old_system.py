"""The old system's database: its nine tables, with what a few years left in them."""

SCHEMA = """
CREATE TYPE order_side AS ENUM ('buy', 'sell');
CREATE TABLE market_data (
  id bigserial PRIMARY KEY, symbol varchar(20) NOT NULL, timestamp timestamptz NOT NULL,
  open numeric(20,8) NOT NULL, high numeric(20,8) NOT NULL, low numeric(20,8) NOT NULL,
  close numeric(20,8) NOT NULL, volume numeric(20,8), timeframe text DEFAULT '1m',
  UNIQUE (symbol, timestamp, timeframe));
CREATE TABLE orders (
  id uuid PRIMARY KEY, client_id text UNIQUE, symbol varchar(20), side order_side,
  qty numeric(20,8), price numeric(20,8), status text, created_at timestamptz DEFAULT now(),
  metadata jsonb);
CREATE TABLE trades (
  id uuid PRIMARY KEY, order_id uuid REFERENCES orders, qty numeric(20,8), price numeric(20,8),
  fee numeric, executed_at timestamptz);
CREATE TABLE positions (
  symbol text PRIMARY KEY, qty numeric(20,8), avg_price numeric(20,8), unrealized_pnl numeric);
CREATE TABLE portfolio_snapshots (
  id serial PRIMARY KEY, at timestamp, cash numeric(18,2), equity numeric(18,2), weights jsonb);
CREATE TABLE ml_models (
  id uuid PRIMARY KEY, name text, version int, params jsonb, weights bytea, metrics json);
CREATE TABLE ml_predictions (
  model_id uuid, at timestamptz, symbol text, forecast float8, confidence real, tags text[],
  PRIMARY KEY (model_id, at, symbol));
CREATE TABLE risk_limits (name text PRIMARY KEY, value numeric, active boolean);
CREATE TABLE risk_events (at timestamptz, kind text, detail json, "user" text);
"""

ROWS = """
INSERT INTO market_data (symbol, timestamp, open, high, low, close, volume)
SELECT 'BTC-USD', '2023-01-01 00:00+00'::timestamptz + n * interval '1 minute',
  16500 + n * 0.01, 16501 + n * 0.01, 16499.5, 16500.5, 0.12345678 * n
FROM generate_series(0, 1999) AS n;
INSERT INTO market_data (symbol, timestamp, open, high, low, close, volume, timeframe)
SELECT 'ETH/USD', '2023-01-01 00:00+00'::timestamptz + n * interval '1 hour', 1200, 1201, 1199,
  1200.00000001, CASE WHEN n = 3 THEN NULL WHEN n = 4 THEN 'NaN'::numeric ELSE 7 END, '1hour'
FROM generate_series(0, 9) AS n;
INSERT INTO orders SELECT md5(n::text)::uuid, 'c' || n, 'BTC-USD',
  (ARRAY['buy','sell'])[n % 2 + 1]::order_side, n, 16500.12345678, 'filled',
  '2023-01-01'::timestamptz + n * interval '1 second 7 microseconds', '{"n": 1.50, "by": "bot"}'
FROM generate_series(1, 50) AS n;
INSERT INTO trades SELECT md5('t' || n)::uuid, md5(n::text)::uuid, n, 16500,
  0.0000000000000000001 * n, '2023-01-01'::timestamptz FROM generate_series(1, 50) AS n;
INSERT INTO positions VALUES ('BTC-USD', 1e10, -0.00000001, 'NaN'), ('ETH-USD', 0, 0, 1e18),
  ('Bad "name"', -1, 1, '-Infinity');
INSERT INTO portfolio_snapshots (at, cash, equity, weights)
VALUES ('2023-01-01 00:00:00.000001', 1.10, -0.01, '{"b": 1, "a": [1.0, null]}');
INSERT INTO ml_models VALUES ('00000000-0000-0000-0000-000000000001', E'two\nlines', 3,
  '{"depth": 12}', '\\x00ff10', '{"auc" : 0.7, "auc": 0.8}');
INSERT INTO ml_predictions SELECT '00000000-0000-0000-0000-000000000001',
  '2023-01-01'::timestamptz + n * interval '1 day', 'BTC-USD',
  (ARRAY['NaN', 'Infinity', '-Infinity', '0.1', '1e300', '-0'])[n]::float8, 0.1, ARRAY['a', NULL]
FROM generate_series(1, 6) AS n;
INSERT INTO risk_limits VALUES ('max "x"', 1000000000000000000, true), ('min', 0.10, false);
INSERT INTO risk_events VALUES ('infinity', 'stop', '{}', 'me'), (NULL, E'a\\tb', 'null', NULL);
"""

TABLES = {
    "market_data": 2010,
    "orders": 50,
    "trades": 50,
    "positions": 3,
    "portfolio_snapshots": 1,
    "ml_models": 1,
    "ml_predictions": 6,
    "risk_limits": 2,
    "risk_events": 2,
}
QUARANTINED = {"market_data": 1, "positions": 2, "ml_predictions": 1, "risk_events": 1}
"""A NaN volume; a NaN and an infinite gain; a NaN forecast; a moment at infinity."""

ODD = """
CREATE TYPE mood AS ENUM ('ok', 'it''s; bad');
CREATE DOMAIN price AS numeric(20,8);
CREATE TABLE every (
  id int PRIMARY KEY, "Price" price, "price" numeric(5,-2), wide numeric(20,8), plain numeric,
  small numeric(3,5), big bigint, at timestamptz, local timestamp(3), day date, clock time,
  u uuid, b bytea, j json, jb jsonb, f float8, r real, ok boolean, m mood, texts text[],
  nums numeric[], grid int[][], ats timestamptz[], flags boolean[], c char(4), i interval,
  ip inet, "order" text, "select" varchar(9) DEFAULT ';', cash money,
  twice int GENERATED ALWAYS AS (id * 2) STORED);
INSERT INTO every VALUES
 (1, 1.5, 12345, 999999999999.99999999, 1e18, 0.00123, 9223372036854775807,
  '2024-01-01 00:00:00.5+05:45', '2024-01-01 00:00:00.123', '2024-02-29', '24:00',
  'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11', '\\xdeadbeef00', '{"b":1,  "a": 1.50}',
  '{"b":1, "a": 1.50}', 0.1, 0.1, true, 'it''s; bad', '{a,"b c",NULL,"q\\"\\\\x","NULL",""}',
  '{1.50,-2}', '{{1,2},{3,4}}', '{2024-01-01 00:00:00+05:45}', '{t,NULL,f}', 'ab',
  '1 day 2 hours', '::1/64', E'tab\\there\\nnew\\r\\\\.\\\\N \\u00fc \\U0001F600', 'x', 12.5),
 (2, -0.00000001, -100, 1, 0.10, 0, -9223372036854775808, '0001-01-01 00:00:00+00',
  '1969-12-31 23:59:59.999', '0001-01-01', '00:00', NULL, '', 'null', '[]', 'Infinity', '3.4e38',
  false, 'ok', '{}', '{}', '{}', NULL, NULL, '', '-1 day', '10.0.0.1', E'\\\\.', '', -1),
 (3, NULL, NULL, NULL, -0.10, NULL, NULL, '9999-12-30 23:59:59.999999+00', NULL, NULL, NULL, NULL,
  NULL, NULL, NULL, '-0', '1e-40', NULL, NULL, E'{"a\\u00a0b"}', '{1e5}', NULL, NULL, NULL, NULL,
  NULL, NULL, '', NULL, NULL);
CREATE TABLE "Every" (k1 text, "K 2" int, v float8, PRIMARY KEY ("K 2", k1));
INSERT INTO "Every" SELECT 'k' || n, n % 7, n / 3.0 FROM generate_series(1, 500) AS n;
CREATE TABLE included (a int, b int, c box[], PRIMARY KEY (a) INCLUDE (b));
INSERT INTO included VALUES (1, NULL, '{(1,1),(0,0);(2,2),(1,1)}'), (2, 2, NULL);
INSERT INTO included SELECT n FROM generate_series(3, 250) AS n;
CREATE TABLE empty (id uuid PRIMARY KEY);
CREATE TABLE quarantine (id int PRIMARY KEY, "rowid" int, x0 int, v1 int, "{0}" int);
INSERT INTO quarantine VALUES (1, 2, 3, 4, 5);
CREATE TABLE keyless (a int, b text);
INSERT INTO keyless SELECT n / 2, 'x' FROM generate_series(1, 350) AS n;
CREATE TABLE parted (id int, at date, PRIMARY KEY (id, at)) PARTITION BY RANGE (id);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (100);
CREATE TABLE parted_2 (at date NOT NULL, id int NOT NULL);
ALTER TABLE parted ATTACH PARTITION parted_2 FOR VALUES FROM (100) TO (1000);
INSERT INTO parted SELECT n, '2024-01-01' FROM generate_series(0, 250) AS n;
CREATE TABLE parent (a int); CREATE TABLE child (b text) INHERITS (parent);
INSERT INTO parent VALUES (1); INSERT INTO child VALUES (2, 'x');
CREATE TABLE nothing (); INSERT INTO nothing DEFAULT VALUES;
CREATE SCHEMA other; CREATE TABLE other.t (a int); INSERT INTO other.t VALUES (1);
CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $x$ SELECT 1; $x$;
CREATE VIEW shown AS SELECT 1 AS a;
"""

BAD = """
CREATE TABLE bad (id int PRIMARY KEY, n numeric, s numeric(10,2), at timestamptz, local timestamp,
  day date, f float8, texts text[], nums float8[], j json);
INSERT INTO bad (id, n) VALUES (1, 'NaN'), (2, 'Infinity'), (3, 1.5);
INSERT INTO bad (id, s) VALUES (4, 'NaN');
INSERT INTO bad (id, at) VALUES (5, '-infinity'), (6, '0044-03-15 BC'), (7, '10001-01-01');
INSERT INTO bad (id, local, day) VALUES (8, 'infinity', '-infinity');
INSERT INTO bad (id, f) VALUES (9, 'NaN'), (10, '-Infinity');
INSERT INTO bad (id, texts) VALUES (11, '[0:1]={a,b}');
INSERT INTO bad (id, nums) VALUES (12, '{1,NaN}');
INSERT INTO bad (id, j) VALUES (13, (repeat('[', 1100) || repeat(']', 1100))::json);
"""
