-- Fills help from the comments of everything else.
INSERT INTO help BY NAME
SELECT 'table' AS kind, table_name AS name, comment AS meaning, 'from ' || table_name || ' limit 10' AS try
FROM duckdb_tables()
WHERE database_name = current_database()
UNION ALL BY NAME
SELECT 'view' AS kind, view_name AS name, comment AS meaning, 'from ' || view_name || ' limit 10' AS try
FROM duckdb_views()
WHERE database_name = current_database() AND NOT internal AND NOT starts_with(view_name, 'ask_')
UNION ALL BY NAME
SELECT 'question' AS kind, 'ask_' || name AS name, purpose AS meaning, 'from ask_' || name AS try
FROM questions
UNION ALL BY NAME
SELECT 'column' AS kind, table_name || '.' || column_name AS name, comment AS meaning
FROM duckdb_columns()
WHERE database_name = current_database() AND NOT internal
ORDER BY ALL;
