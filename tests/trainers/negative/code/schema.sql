CREATE TABLE metrics (run_id integer, step integer, name text, value double precision DEFAULT 0.0);
INSERT INTO metrics VALUES (1, 1, 'loss', 0.91), (1, 2, 'loss', 0.82);
SELECT step, value FROM metrics WHERE name = 'loss' AND value < 0.5 ORDER BY step LIMIT 10;
