#!/bin/bash
# Runs a release build of the hub on fixed loopback ports in one directory, for benchmarks that
# restart or kill the server they measure.
#
#   hub.sh start|stop|restart|kill9|status|smtp-spec|imap-spec DIR
#
#   HUB_BIN (target/release/twinhub)  HUB_BASE_PORT (17000: smtp +25, submission +87, submissions
#   +65, imap +43, imaps +93, managesieve +90, http +80, https +44)  HUB_USERS (200: u0..u199@peer.test)  HUB_PASS (pass)
#   HUB_DATABASE (postgres://…, else SQLite)  HUB_RELAY (base + 525: port on loopback of the relay host,
#   in the clear, that takes mail to the outside)
#   HUB_CLOCK (0.03: factor for pauses between attempts, so that a relay host that was away is tried
#   after 2 seconds)
#   HUB_CHECK (false: SPF, DKIM and DMARC of mail from loopback)  HUB_RESOLVER (its port, for these)
#
# The hub does what it does as shipped (junk filter, DKIM signatures, DSN); only a twin's hourly
# rates are lifted, because load from few twins is what is measured.
set -eu

usage() { sed -n '2,17p' "$0" >&2; exit 2; }
[ $# = 2 ] || usage
action=$1
here=$(dirname "$(realpath "$0")")
dir=$(realpath -m "$2")
bin=$(realpath -m "${HUB_BIN:-$here/../../target/release/twinhub}")
base=${HUB_BASE_PORT:-17000}
users=${HUB_USERS:-200}
pass=${HUB_PASS:-pass}
relay=${HUB_RELAY:-$((base + 525))}
pidfile=$dir/pid
options=(--data-dir "$dir/data")
[ -z "${HUB_DATABASE:-}" ] || options+=(--database "$HUB_DATABASE")

alive() { [ -s "$pidfile" ] && kill -0 "$(cat "$pidfile")" 2>/dev/null; }

await() { # until the hub has ended
	local n
	for ((n = 0; n < 600; n++)); do
		alive || return 0
		sleep 0.05
	done
	echo "it does not end" >&2
	return 1
}

launch() {
	local n
	rm -f "$dir/ready.json"
	ulimit -n "$(ulimit -Hn)" 2>/dev/null || true
	setsid "$bin" "${options[@]}" serve --ready-file "$dir/ready.json" >>"$dir/log" 2>&1 </dev/null &
	echo $! >"$pidfile"
	for ((n = 0; n < 600; n++)); do
		[ -e "$dir/ready.json" ] && return 0
		alive || break
		sleep 0.05
	done
	echo "it did not start:" >&2
	tail -n 5 "$dir/log" >&2
	return 1
}

create() {
	local n
	mkdir -p "$dir/data"
	cat >"$dir/data/hub.toml" <<-TOML
		[listen]
		smtp = "127.0.0.1:$((base + 25))"
		submission = "127.0.0.1:$((base + 87))"
		submissions = "127.0.0.1:$((base + 65))"
		imap = "127.0.0.1:$((base + 43))"
		imaps = "127.0.0.1:$((base + 93))"
		managesieve = "127.0.0.1:$((base + 90))"
		http = "127.0.0.1:$((base + 80))"
		https = "127.0.0.1:$((base + 44))"
		[rates]
		sent_per_hour = 0
		sent_per_day = 0
		recipients_per_hour = 0
		recipients_per_day = 0
		[authentication]
		check_loopback = ${HUB_CHECK:-false}
		[outbound]
		clock_scale = ${HUB_CLOCK:-0.03}
		[relay]
		host = "127.0.0.1"
		port = $relay
		tls = "none"
		[resolver]
		address = "127.0.0.1"
		port = ${HUB_RESOLVER:-53}
	TOML
	"$bin" "${options[@]}" domain add peer.test >/dev/null
	for ((n = 0; n < users; n++)); do
		echo "$pass" | "$bin" "${options[@]}" twin add "u$n@peer.test" --password-stdin >/dev/null
	done
}

case $action in
start)
	alive && { echo "runs already, pid $(cat "$pidfile")"; exit 0; }
	[ -x "$bin" ] || { echo "no $bin: cargo build --release" >&2; exit 1; }
	[ -e "$dir/data/hub.toml" ] || create
	launch
	echo "pid $(cat "$pidfile") smtp $((base + 25)) imap $((base + 43))"
	;;
stop)
	alive || { echo "does not run"; exit 0; }
	kill "$(cat "$pidfile")"
	await
	;;
restart)
	if alive; then
		kill "$(cat "$pidfile")"
		await
	fi
	launch
	;;
kill9)
	kill -9 "$(cat "$pidfile")"
	await
	;;
status) if alive; then echo "runs, pid $(cat "$pidfile")"; else echo "does not run"; exit 3; fi ;;
smtp-spec)
	echo "twinhub=127.0.0.1,mx=$((base + 25)),sub=$((base + 87)),subs=$((base + 65)),imap=$((base + 43)),domain=peer.test,user=u%d,login=u%d@peer.test,imaplogin=u%d@peer.test,pass=$pass,users=$users,pidfile=$pidfile,sinkport=$relay,kill=$0 kill9 $dir,start=$0 start $dir,restart=$0 restart $dir"
	;;
imap-spec)
	echo "twinhub=127.0.0.1:$((base + 43)),user=u%d@peer.test,pass=$pass,pidfile=$pidfile,smtp=$((base + 25)),rcpt=u%d@peer.test,dir=$dir/data,restart=$0 restart $dir"
	;;
*) usage ;;
esac
