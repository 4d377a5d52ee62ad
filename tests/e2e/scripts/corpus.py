#!/usr/bin/env python3
"""Delivers every message below a folder by SMTP and reads it back over IMAP: bytes equal, size exact.

    corpus.py FOLDER READY.json USER PASSWORD

READY.json is what `twinhub serve --ready-file` wrote; USER is an address of the hub. Files are sent
with each bare LF made CRLF. A message with a bare CR, which the MX port refuses (RFC 5321 §2.3.8), must
be refused there with 554 and comes by APPEND instead. Prints a line per difference and a summary; exit
status 1 if there is any.
"""
import imaplib
import json
import os
import re
import smtplib
import sys

imaplib._MAXLINE = 100_000_000
# What the hub puts in front: fields up to the end of its own Received.
PREFIX = re.compile(rb"\AReturn-Path: <[^\r\n]*>\r\nDelivered-To: [^\r\n]*\r\nReceived: [^\r\n]*\r\n(?:[ \t][^\r\n]*\r\n)*")


def address(ready, key):
    host, _, port = ready[key].rpartition(":")
    return host, int(port)


def deliver(smtp, user, message):
    """The reply to the message: sent by hand, because smtplib would change line ends."""
    smtp.mail("corpus@example.net")
    smtp.rcpt(user)
    code, text = smtp.docmd("DATA")
    if code != 354:
        return code, text
    body = re.sub(rb"(?m)^\.", b"..", message)
    smtp.send(body + (b"" if body.endswith(b"\r\n") else b"\r\n") + b".\r\n")
    return smtp.getreply()


def main():
    folder, ready_file, user, password = sys.argv[1:]
    with open(ready_file, encoding="utf-8") as file:
        ready = json.load(file)
    files = sorted(os.path.join(d, f) for d, _, names in os.walk(folder) for f in names)
    smtp = smtplib.SMTP(*address(ready, "smtp"), timeout=60)
    smtp.ehlo("corpus.test")
    imap = imaplib.IMAP4(*address(ready, "imap"))
    imap.login(user, password)
    imap.select("INBOX")
    differences = by_smtp = by_append = 0
    for name in files:
        with open(name, "rb") as file:
            message = re.sub(rb"(?<!\r)\n", b"\r\n", file.read())
        code, text = deliver(smtp, user, message)
        strict = re.search(rb"\r(?!\n)", message) is not None
        expected = message
        if strict:
            if code != 554:
                print(f"{name}: bare CR accepted: {code} {text!r}")
                differences += 1
            # imaplib's append() would change line ends.
            imap.literal = message
            answer = imap._simple_command("APPEND", "INBOX")
            by_append += 1
        else:
            # What lies in DATA ends with CRLF (RFC 5321 §4.1.1.4).
            expected = message if message.endswith(b"\r\n") else message + b"\r\n"
            answer = ("OK" if code == 250 else "NO", [text])
            by_smtp += 1
        if answer[0] != "OK":
            print(f"{name}: not accepted: {code} {answer}")
            differences += 1
            continue
        imap.noop()
        _, data = imap.fetch("*", "(RFC822.SIZE BODY.PEEK[])")
        size = int(re.search(rb"RFC822.SIZE (\d+)", data[0][0]).group(1))
        got = data[0][1]
        if size != len(got):
            print(f"{name}: RFC822.SIZE {size}, {len(got)} bytes came")
            differences += 1
        if not strict:
            got = PREFIX.sub(b"", got, count=1)
        if got != expected:
            print(f"{name}: {len(got)} bytes instead of {len(expected)}")
            differences += 1
    print(f"{len(files)} messages, {by_smtp} by SMTP, {by_append} by APPEND, {differences} differences")
    smtp.quit()
    imap.logout()
    return 1 if differences or not files else 0


if __name__ == "__main__":
    sys.exit(main())
