# Run PostgreSQL until `Server.stop` writes a line to this shell. Without a line, its input ends when
# the process that started it is killed: then this stops PostgreSQL, too.
#
#   $0  the folder of PostgreSQL's programs
#   $1  the folder of the data. The first start makes it.
#   $2  the folder of the socket. While PostgreSQL takes queries, a file `ready` is in it.
#   $3  "temporary", if the data need not outlive a crash or the end
#
# Its standard output is the lock of `Server.own`.
# shellcheck shell=sh

export LC_ALL=C PATH="$0:$PATH" PGDATA="$1" PGHOST="$2" PGUSER=postgres
temporary="$3"
log="$PGDATA.log"

options="-c listen_addresses= -k $PGHOST"
if [ "$temporary" ]; then
    options="$options -c fsync=off -c full_page_writes=off"
fi

# This shell keeps the lock, as 3, until its own end: no other start comes in between.
rm -f "$log"
exec 3>&1 >>"$log" 2>&1

# A server that runs at this point has lost its shell. Stop it. If nothing responds (2), the files
# below are old, and their process id may belong to another process by now.
pg_isready
if [ $? -ne 2 ]; then
    pg_ctl stop
fi
rm -f "$PGDATA/postmaster.pid" "$PGHOST"/.s.*

# The folder gets its name only when it is complete, as a first start may be killed, too.
# Everybody is trusted, because only this account can open the folder of the socket.
if [ ! -d "$PGDATA" ]; then
    initdb --username=postgres --auth=trust --encoding=UTF8 \
        --locale-provider=builtin --builtin-locale=C.UTF8 "$PGDATA.$$" &&
        mv "$PGDATA.$$" "$PGDATA"
fi

pg_ctl start --timeout=600 --log="$log" --options="$options" 3>&- || exit
createdb app # or it is there already
touch "$PGHOST/ready"

if ! read -r _; then
    killed=yes
fi

rm "$PGHOST/ready"
pg_ctl stop
rm -rf "$PGHOST"
if [ "$temporary" ] && [ "$killed" ]; then
    rm -rf "${PGDATA%/*}" # else `Server` does
fi
