#!/bin/sh
# Creates or raises Temporal's two databases. Safe to repeat. The connection comes from the SQL_* variables.
set -eu

temporal-sql-tool --db temporal create-database
temporal-sql-tool --db temporal setup-schema -v 0.0
temporal-sql-tool --db temporal update-schema --schema-name postgresql/v12/temporal

temporal-sql-tool --db temporal_visibility create-database
temporal-sql-tool --db temporal_visibility setup-schema -v 0.0
temporal-sql-tool --db temporal_visibility update-schema --schema-name postgresql/v12/visibility
