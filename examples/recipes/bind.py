# Gets a provisioning key, and binds the key pair of this device with it: see README.md.
import base64, email.utils as mail, fcntl, hashlib, json, os, random, re, signal, ssl, subprocess, sys, time
from urllib import parse, request as http

env = {"STATE": "device.json", "SCOPE": "provision:bind", "SUBJECT": "", "DEADLINE": "120", **os.environ}
state, end, seen = env["STATE"], time.time() + int(env["DEADLINE"]), {"skew": 0, "nonce": None}

def stop(code, message): sys.exit(print(f"bind.py: {message}", file=sys.stderr) or code)
def openssl(*arguments): return subprocess.run(["openssl", *arguments], stdout=subprocess.PIPE, check=True).stdout
def b64(data): return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
def sha256(text): return b64(hashlib.sha256(text.encode()).digest())

# Writes a temporary file. To rename it then saves it as a whole or not at all.
def write(text):
    with open(f"{state}.new", "w", opener=lambda n, how: os.open(n, how | os.O_SYNC, 0o600)) as file: file.write(text)
    return f"{state}.new"

# Makes a DPoP proof for one POST (RFC 9449 4.2).
def proof(url, key):
    claims = {"jti": os.urandom(16).hex(), "htm": "POST", "htu": url, "iat": int(time.time() + seen["skew"])}
    claims |= ({"nonce": seen["nonce"]} if seen["nonce"] else {}) | ({"ath": sha256(key)} if key else {})
    text = b64(f'{{"typ":"dpop+jwt","alg":"EdDSA","jwk":{jwk}}}'.encode()) + "." + b64(json.dumps(claims).encode())
    return f"{text}.{b64(openssl('pkeyutl', '-sign', '-rawin', '-inkey', f'{state}.pem', '-in', write(text)))}"

# Follows no redirect, and raises no error for a refusal.
class Raw(http.HTTPErrorProcessor): http_response = https_response = lambda self, request, response: response

# Sends a request, each time with a new proof, until it is answered.
def send(url, authorization=None, key=None, form=None):
    for failures in range(999):
        status, got, answer, data = 0, {}, {}, form and parse.urlencode(form).encode()
        headers = {"Authorization": authorization, "DPoP": proof(url, key)} if authorization else {}
        try:
            response = opener.open(http.Request(url, data, headers, method="POST" if headers else "GET"), timeout=15)
            text, status, got = response.read(99999), response.status, response.headers
            answer = dict(json.loads(text))
            seen.update(nonce=got["DPoP-Nonce"], skew=mail.parsedate_to_datetime(got["Date"]).timestamp() - time.time())
        except Exception as fault:  # no answer, no JSON, or no date
            if isinstance(getattr(fault, "reason", 0), ssl.SSLCertVerificationError): stop(75, f"cannot trust {url}")
        error = re.sub("[^A-Za-z_]", "", str(answer.get("error", "")))[:40]
        if status in (200, 201): return answer or stop(75, f"{url} answered with something other than JSON")
        # The answer had the right nonce and the right time.
        if error in ("use_dpop_nonce", "invalid_dpop_proof") and failures < 5: continue
        if (status, error) == (401, "invalid_token"): os.unlink(request)
        is_final = 0 < status < 500 and status not in (408, 409, 425, 429)
        if is_final: stop(1 if error else 75, f"{url} refused: {status} {error}")
        delay = int(wait) if re.fullmatch(r"[1-9]\d{,4}", wait := got.get("Retry-After", "")) else min(2**failures, 32)
        if time.time() + delay > end: stop(75, f"no answer from {url} yet: {status} {error}. Run this again later")
        time.sleep(delay * (1 + random.random()))

sys.excepthook = lambda kind, fault, trace: print(f"bind.py: {fault}", file=sys.stderr)
signal.signal(signal.SIGALRM, lambda *_: stop(75, "no answer in time")); signal.alarm(int(env["DEADLINE"]))
fcntl.flock(os.open(os.path.dirname(state) or ".", os.O_RDONLY), fcntl.LOCK_EX)  # two processes share one key pair
if os.path.exists(state): sys.exit(print(f"already bound: see {state}"))
issuer, name, secret = (env.get(it) or stop(1, f"set {it}") for it in ("ISSUER", "CLIENT_ID", "CLIENT_SECRET"))
opener = http.build_opener(Raw, http.HTTPSHandler(context=ssl.create_default_context(cafile=env.get("CURL_CA_BUNDLE"))))
pem, request = f"{state}.pem", f"{state}.request"
if not os.path.exists(pem): os.rename(write(openssl("genpkey", "-algorithm", "ED25519").decode()), pem)
jwk = f'{{"crv":"Ed25519","kty":"OKP","x":"{b64(openssl("pkey", "-in", pem, "-pubout", "-outform", "DER")[-32:])}"}}'
if not os.path.exists(request):
    host = (re.match(r"https://[^/?#@\s]+/|http://localhost(:\d+)?/", f"{issuer}/") or stop(1, "no https ISSUER"))[0]
    found = send(f"{host}.well-known/oauth-authorization-server/{issuer[len(host):]}".rstrip("/"))
    token, bind = (str(found.get(it)) for it in ("token_endpoint", "provisioning_binding_endpoint"))
    if os.path.commonprefix([token, bind, host]) != host or found.get("issuer") != issuer: stop(1, "another issuer")
    basic = base64.b64encode(f"{parse.quote_plus(name)}:{parse.quote_plus(secret)}".encode()).decode()
    form = {"grant_type": "client_credentials", "scope": env["SCOPE"], "requested_subject": env["SUBJECT"]}
    ok = send(token, f"Basic {basic}", form=form)
    key = re.fullmatch(r"(?i)dpop,(\S+)", f"{ok.get('token_type')},{ok.get('access_token')}") or stop(1, "unbound key")
    os.rename(write(f"{bind}\n{key[1]}\n"), request)
bind, key = open(request).read().split()
if (ok := send(bind, f"DPoP {key}", key)).get("cnf") != {"jkt": sha256(jwk)}: stop(1, f"{bind} bound another key pair")
os.rename(write(json.dumps(ok)), state)
print(os.unlink(request) or f"bound: see {state}")
