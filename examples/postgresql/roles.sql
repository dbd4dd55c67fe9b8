-- Owns what there is, and never logs in.
CREATE ROLE orders NOLOGIN;

-- Two logins with the same rights, of which one is in use. They have no password yet, so nobody can be them.
CREATE ROLE orders_a LOGIN IN ROLE orders;
CREATE ROLE orders_b LOGIN IN ROLE orders;
-- What one of them makes belongs to the owner, and so to the other as well.
ALTER ROLE orders_a SET role = 'orders';
ALTER ROLE orders_b SET role = 'orders';

CREATE DATABASE orders OWNER orders;
REVOKE ALL ON DATABASE orders FROM PUBLIC;

\connect orders
SET role = 'orders';
CREATE TABLE placed (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, at timestamptz NOT NULL DEFAULT now());
