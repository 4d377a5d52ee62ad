#!/bin/bash
# The hub beside Debian's Postfix and Dovecot, on this machine, in turns.
#
#   PEERS_DIR=DIR tests/bench/compare.sh [WORKDIR]
#
# PEERS_DIR holds postfix.sh and dovecot.sh (start|stop|env WORKDIR, which run them on loopback
# ports) and, for a second opinion, smtp_bench.py and imap_bench.py. Needs root (Postfix does),
# the packages postfix, dovecot-imapd, dovecot-lmtpd and strace, and `cargo build --release`.
# Results are JSON lines in WORKDIR: bench.jsonl (ours), smtp.jsonl and imap.jsonl (theirs);
# the ratios are printed.
#
#   ROUNDS (3)   CONNECTIONS (1000, for memory: Dovecot has a process for each)
#   OURS_ONLY=1 leaves out the Python programs   PHASES (of hub-bench)
#   SMTP_PHASES (mx,submit,tls,relay,memory,fsync,crash)   IMAP_PHASES (append,deliver,select,fetch,store,idle)
set -eu
[ -n "${PEERS_DIR:-}" ] || { sed -n '2,16p' "$0" >&2; exit 2; }
here=$(dirname "$(realpath "$0")")
peers=$(realpath "$PEERS_DIR")
work=$(realpath -m "${1:-$(mktemp -d)}")
rounds=${ROUNDS:-3}
mkdir -p "$work"

cargo build --release -p hub-bench --manifest-path "$here/../../Cargo.toml"
stop() {
	"$here/hub.sh" stop "$work/hub" || true
	"$peers/postfix.sh" stop "$work/postfix" || true
	"$peers/dovecot.sh" stop "$work/dovecot" || true
}
trap stop EXIT
"$here/hub.sh" start "$work/hub"
"$peers/postfix.sh" start "$work/postfix"
hub=$("$here/hub.sh" smtp-spec "$work/hub")
# Postfix hands over to its own Dovecot by LMTP; the same Dovecot answers IMAP. Mail to the outside goes
# to port 16525, as postfix.sh has it.
postfix="$("$peers/postfix.sh" env "$work/postfix"),users=200,sinkport=16525,restart=$peers/postfix.sh restart $work/postfix"

"$here/../../target/release/hub-bench" --no-hub --hub "$here/../../target/release/twinhub" --server "$hub" --server "$postfix" --rounds "$rounds" \
	--connections "${CONNECTIONS:-1000}" ${PHASES:+--phases "$PHASES"} | tee "$work/bench.jsonl" | grep -E '"kind":"(ratio|error)"' || true

if [ -z "${OURS_ONLY:-}" ] && [ -e "$peers/smtp_bench.py" ]; then
	python3 "$peers/smtp_bench.py" --compare "$hub" "$postfix" --rounds "$rounds" \
		--phases "${SMTP_PHASES:-mx,submit,tls,relay,memory,fsync,crash}" | tee "$work/smtp.jsonl" | grep -E '"kind": "(ratio|crash|fsync|error)"' || true
fi
if [ -z "${OURS_ONLY:-}" ] && [ -e "$peers/imap_bench.py" ]; then
	"$peers/postfix.sh" stop "$work/postfix"
	"$peers/dovecot.sh" start "$work/dovecot"
	python3 "$peers/imap_bench.py" --compare "$("$here/hub.sh" imap-spec "$work/hub")" \
		"$("$peers/dovecot.sh" env "$work/dovecot")" --rounds "$rounds" \
		--phases "${IMAP_PHASES:-append,deliver,select,fetch,store,idle}" | tee "$work/imap.jsonl" | grep -E '"kind": "(ratio|error)"' || true
fi
echo "all lines: $work"
