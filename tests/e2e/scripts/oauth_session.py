"""From registration to tokens without a browser, then the token at every door:
HTTPS-PORT IMAPS-PORT SUBMISSIONS-PORT CA USER PASSWORD RECIPIENT; prints the client and the token."""
import base64
import hashlib
import html
import http.client
import imaplib
import json
import re
import secrets
import smtplib
import ssl
import sys
from urllib.parse import parse_qs, urlencode, urlsplit

https, imaps, submissions, ca, user, password, recipient = sys.argv[1:]
context = ssl.create_default_context(cafile=ca)
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def request(method, path, body=None, fields=None):
    connection = http.client.HTTPSConnection("localhost", int(https), context=context, timeout=30)
    connection.request(method, path, body, fields or {})
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, answer.headers, text


def path(url):
    parts = urlsplit(url)
    assert parts.netloc == "localhost:" + https, url
    return parts.path


status, _, text = request("GET", "/.well-known/oauth-authorization-server")
server = json.loads(text)
assert status == 200 and server["issuer"] == "https://localhost:" + https, text

redirect = "http://127.0.0.1/back"
body = json.dumps({"client_name": "A script", "redirect_uris": [redirect]})
status, _, text = request("POST", path(server["registration_endpoint"]), body, {"Content-Type": "application/json"})
assert status == 201, text
client = json.loads(text)["client_id"]

# The port on loopback is chosen now (RFC 8252 §7.3).
redirect = "http://127.0.0.1:51004/back"
verifier = secrets.token_urlsafe(48)
challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
question = {
    "response_type": "code", "client_id": client, "redirect_uri": redirect, "state": "a&b=c",
    "scope": "mail:write mail:send files:read", "code_challenge": challenge, "code_challenge_method": "S256",
}
page = path(server["authorization_endpoint"])
status, _, text = request("GET", page + "?" + urlencode(question))
assert status == 200 and "A script" in text, text
# What a browser would send: every field of the form.
fields = [(html.unescape(n), html.unescape(v)) for n, v in
          re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', text)]
fields += [("allow", v) for v in re.findall(r'name="allow" value="([^"]*)" checked', text)]
fields += [("login", user), ("password", password), ("decision", "allow")]
status, headers, text = request("POST", page, urlencode(fields), FORM)
assert status == 303, (status, text)
back, query = headers["Location"].split("?")
answer = {name: values[0] for name, values in parse_qs(query).items()}
assert back == redirect and answer["state"] == "a&b=c" and answer["iss"] == server["issuer"], headers["Location"]


def tokens(expected, **form):
    status, _, text = request("POST", path(server["token_endpoint"]), urlencode({"client_id": client, **form}), FORM)
    assert status == expected, text
    return json.loads(text)


exchange = {"grant_type": "authorization_code", "code": answer["code"], "redirect_uri": redirect}
first = tokens(200, code_verifier=verifier, **exchange)
second = tokens(200, grant_type="refresh_token", refresh_token=first["refresh_token"])
token = second["access_token"]
assert token != first["access_token"] and second["scope"] == "mail:write mail:send files:read", second

# IMAP, both mechanisms, and a token that is none
for mechanism, message in [
    ("XOAUTH2", "user=%s\1auth=Bearer %s\1\1" % (user, token)),
    ("OAUTHBEARER", "n,a=%s,\1host=localhost\1port=%s\1auth=Bearer %s\1\1" % (user, imaps, token)),
]:
    c = imaplib.IMAP4_SSL("localhost", int(imaps), ssl_context=context, timeout=30)
    assert "AUTH=" + mechanism in c.capabilities, c.capabilities
    assert c.authenticate(mechanism, lambda _: message.encode())[0] == "OK"
    assert c.select("INBOX")[0] == "OK"
    c.logout()
c = imaplib.IMAP4_SSL("localhost", int(imaps), ssl_context=context, timeout=30)
said = []


def wrong(challenge):
    said.append(challenge)
    return b"" if len(said) > 1 else ("user=%s\1auth=Bearer %sx\1\1" % (user, token)).encode()


try:
    c.authenticate("XOAUTH2", wrong)
    raise SystemExit("a wrong token was taken")
except imaplib.IMAP4.error as error:
    assert "AUTHENTICATIONFAILED" in str(error), error
assert json.loads(said[1])["status"] == "401", said

# Submission
s = smtplib.SMTP_SSL("localhost", int(submissions), context=context, timeout=30)
s.ehlo()
xoauth2 = base64.b64encode(("user=%s\1auth=Bearer %s\1\1" % (user, token)).encode()).decode()
code, text = s.docmd("AUTH", "XOAUTH2 " + xoauth2)
assert code == 235, (code, text)
s.sendmail(user, [recipient], "From: <%s>\r\nTo: <%s>\r\nSubject: by token\r\n\r\nx\r\n" % (user, recipient))
s.quit()

# Files may be read, not written.
bearer = {"Authorization": "Bearer " + token}
assert request("PROPFIND", "/dav/files/%s/" % user, None, {"Depth": "0", **bearer})[0] == 207
assert request("PUT", "/dav/files/%s/x" % user, "x", bearer)[0] == 403

print(client, token)
