#!/bin/sh
# Makes an empty database the first time, and is the server.
#
# The superuser has no password: it is the user of this container, on the socket here.
set -eu
if [ ! -d "$PGDATA" ]; then
    # Not half of it, if this is interrupted.
    rm -rf "$PGDATA.new"
    initdb --pgdata="$PGDATA.new" --username=postgres --encoding=UTF8 --locale=C --auth=reject
    mv "$PGDATA.new" "$PGDATA"
fi
exec postgres -c listen_addresses='*' -c unix_socket_directories=/run/postgresql \
    -c hba_file=/etc/postgresql/pg_hba.conf -c log_connections=on
