"""The code flow and the device flow with Authlib: HTTPS-PORT CA USER PASSWORD."""
import html
import re
import sys

import requests
from authlib.integrations.requests_client import OAuth2Session

https, ca, user, password = sys.argv[1:]
origin = "https://localhost:" + https
server = requests.get(origin + "/.well-known/oauth-authorization-server", verify=ca, timeout=30).json()
redirect = "https://app.test/back"
registered = requests.post(server["registration_endpoint"], json={"client_name": "Authlib", "redirect_uris": [redirect]},
                           verify=ca, timeout=30).json()
session = OAuth2Session(
    registered["client_id"], token_endpoint_auth_method=registered["token_endpoint_auth_method"],
    scope="mail:read", redirect_uri=redirect, code_challenge_method="S256",
    revocation_endpoint_auth_method="none",
)
session.verify = ca
# Else authorities that the environment names would be asked instead.
session.trust_env = False
verifier = "v" * 48
url, state = session.create_authorization_url(server["authorization_endpoint"], code_verifier=verifier)


def approve(page):
    """What a browser would send."""
    fields = [(html.unescape(n), html.unescape(v)) for n, v in
              re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', page)]
    fields += [("allow", v) for v in re.findall(r'name="allow" value="([^"]*)" checked', page)]
    return fields + [("login", user), ("password", password), ("decision", "allow")]


page = requests.get(url, verify=ca, timeout=30)
answer = requests.post(server["authorization_endpoint"], approve(page.text), verify=ca, timeout=30, allow_redirects=False)
assert answer.status_code == 303, answer.text
token = session.fetch_token(server["token_endpoint"], authorization_response=answer.headers["Location"],
                            state=state, code_verifier=verifier)
assert token["scope"] == "mail:read", token
renewed = session.refresh_token(server["token_endpoint"], refresh_token=token["refresh_token"])
assert renewed["access_token"] != token["access_token"]
revoked = session.revoke_token(server["revocation_endpoint"], token=renewed["refresh_token"])
assert revoked.status_code == 200, revoked.text

device = requests.post(server["device_authorization_endpoint"], verify=ca, timeout=30,
                       data={"client_id": registered["client_id"], "scope": "calendars:read"}).json()
page = requests.get(device["verification_uri_complete"], verify=ca, timeout=30)
done = requests.post(device["verification_uri"], approve(page.text), verify=ca, timeout=30)
assert done.status_code == 200 and "let in" in done.text, done.text
token = session.fetch_token(server["token_endpoint"], device_code=device["device_code"],
                            grant_type="urn:ietf:params:oauth:grant-type:device_code")
assert token["scope"] == "calendars:read", token
