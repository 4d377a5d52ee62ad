"""A session with Python's imaplib: HOST IMAPS-PORT IMAP-PORT CA USER PASSWORD."""
import imaplib
import re
import ssl
import sys
import time

host, imaps, imap, ca, user, password = sys.argv[1:]
context = ssl.create_default_context(cafile=ca)


def ok(answer):
    assert answer[0] == "OK", answer
    return answer[1]


def connect():
    c = imaplib.IMAP4_SSL(host, int(imaps), ssl_context=context, timeout=30)
    ok(c.login(user, password))
    return c


# STARTTLS, and AUTHENTICATE with a callback
c = imaplib.IMAP4(host, int(imap), timeout=30)
ok(c.starttls(context))
ok(c.authenticate("PLAIN", lambda _: ("\0%s\0%s" % (user, password)).encode()))
c.logout()

# a wrong password is an error, not a hang
try:
    imaplib.IMAP4_SSL(host, int(imaps), ssl_context=context).login(user, "wrong")
    raise SystemExit("a wrong password was accepted")
except imaplib.IMAP4.error as e:
    assert b"AUTHENTICATIONFAILED" in e.args[0], e

c = connect()
assert "IMAP4REV1" in c.capabilities, c.capabilities
assert any(line.rstrip(b'"').endswith(b"INBOX") for line in ok(c.list())), c.list()
ok(c.create("Python"))
ok(c.subscribe("Python"))

# APPEND with flags, keyword and date; the bytes come back
raw = b"Subject: imaplib\r\nFrom: a@x.test\r\n\r\n8-bit \xff\xfe\x80, no line break at the end"
ok(c.append("Python", r"(\Seen \Flagged $Custom)", '" 5-Mar-2021 10:11:12 +0100"', raw))
ok(c.append("Python", None, imaplib.Time2Internaldate(time.time()), b"Subject: two\r\n\r\n2\r\n"))
assert ok(c.select("Python"))[0] == b"2"
uid = ok(c.uid("SEARCH", "SUBJECT", "imaplib"))[0].split()[0].decode()
data = ok(c.uid("FETCH", uid, "(FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])"))
assert data[0][1] == raw, data
meta = data[0][0] + (data[1] if isinstance(data[1], bytes) else b"")
assert b"RFC822.SIZE %d" % len(raw) in meta, meta
assert b"$Custom" in meta and b"\\Flagged" in meta, meta
assert imaplib.Internaldate2tuple(meta) is not None and b"Mar-2021" in meta, meta

# flags, copy, move, expunge
ok(c.store("2", "+FLAGS", r"(\Answered)"))
assert rb"\Answered" in ok(c.fetch("2", "(FLAGS)"))[0]
ok(c.copy("1:2", "Archive"))
ok(c.uid("MOVE", uid, "Trash"))
assert c.response("EXPUNGE")[1] == [b"1"]
assert ok(c.search(None, "ALL"))[0] == b"1"
ok(c.store("1", "+FLAGS", r"(\Deleted)"))
assert ok(c.expunge()) == [b"1"]
assert ok(c.status("Archive", "(MESSAGES UNSEEN)"))[0].endswith(b"(MESSAGES 2 UNSEEN 1)"), c.status("Archive", "(MESSAGES UNSEEN)")
ok(c.close())
ok(c.rename("Python", "Monty"))
ok(c.delete("Monty"))
assert c.select("Monty")[0] == "NO"

# IDLE, by hand: this version of imaplib has none
ok(c.select("INBOX"))
tag = c._new_tag()
c.send(tag + b" IDLE\r\n")
assert c.readline().startswith(b"+ ")
d = connect()
ok(d.append("INBOX", None, None, b"Subject: wake up\r\n\r\n"))
assert re.match(rb"\* 1 EXISTS", c.readline())
c.send(b"DONE\r\n")
while not c.readline().startswith(tag):
    pass
assert d.logout()[0] == "BYE"
assert c.logout()[0] == "BYE"
