#!/bin/sh
# Run once by the PostgreSQL image, when it has made an empty database.
set -eu
psql --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" --file /etc/chronobridge/postgres-roles.sql \
    --set owner=chronobridge_owner --set owner_password="$(cat /run/secrets/owner_password)" \
    --set service=chronobridge --set service_password="$(cat /run/secrets/service_password)"
