"""Sessions with Python's smtplib: HOST SMTP SUBMISSION SUBMISSIONS CA USER PASSWORD RECIPIENT."""
import smtplib
import ssl
import sys
from email.message import EmailMessage

host, mx, submission, submissions, ca, user, password, recipient = sys.argv[1:]
context = ssl.create_default_context(cafile=ca)


def mail(subject, body):
    m = EmailMessage()
    m["From"], m["To"], m["Subject"] = user, recipient, subject
    m.set_content(body)
    return m


# the MX port, plain and by STARTTLS; nobody relays
with smtplib.SMTP(host, int(mx), timeout=30) as c:
    c.ehlo()
    for word in ("pipelining", "8bitmime", "smtputf8", "size", "starttls", "chunking"):
        assert c.has_extn(word), c.esmtp_features
    c.starttls(context=context)
    c.send_message(mail("smtplib mx", "hello\n"), "someone@elsewhere.test", [recipient])
    try:
        c.sendmail("someone@elsewhere.test", ["else@example.org"], b"Subject: relay\r\n\r\nx\r\n")
        raise SystemExit("the MX port relayed")
    except smtplib.SMTPRecipientsRefused as e:
        assert list(e.recipients.values())[0][0] // 100 == 5, e

# AUTH by both mechanisms, over both kinds of TLS
for implicit in (True, False):
    for mechanism in ("PLAIN", "LOGIN"):
        if implicit:
            c = smtplib.SMTP_SSL(host, int(submissions), context=context, timeout=30)
        else:
            c = smtplib.SMTP(host, int(submission), timeout=30)
            c.starttls(context=context)
        c.ehlo()
        c.user, c.password = user, password
        code, text = c.auth(mechanism, getattr(c, "auth_" + mechanism.lower()))
        assert code == 235, (code, text)
        c.send_message(mail("smtplib %s %s" % (mechanism.lower(), implicit), "over TLS\n"))
        c.quit()
try:
    smtplib.SMTP_SSL(host, int(submissions), context=context).login(user, "wrong")
    raise SystemExit("a wrong password was accepted")
except smtplib.SMTPAuthenticationError as e:
    assert e.smtp_code == 535, e

# ten megabytes of 8-bit text with dots at the start of lines
body = (b"." + b"x" * 980 + b"\r\n" + "..äöü\r\n".encode() + b".\r\n") * 10000
head = "From: %s\r\nTo: %s\r\nSubject: smtplib big\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" % (user, recipient)
with smtplib.SMTP_SSL(host, int(submissions), context=context, timeout=120) as c:
    c.login(user, password)
    c.sendmail(user, [recipient], head.encode() + body, mail_options=["BODY=8BITMIME"])
print(len(body))
