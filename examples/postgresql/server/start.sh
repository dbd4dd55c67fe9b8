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
# With an fsGroup the kubelet gives the group the right to write with each mount, and then the server refuses to start.
chmod 0700 "$PGDATA"
exec postgres -c listen_addresses='*' -c unix_socket_directories=/run/postgresql \
    -c hba_file=/etc/postgresql/pg_hba.conf -c log_connections=on
