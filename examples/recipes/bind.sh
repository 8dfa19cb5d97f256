#!/bin/sh
# Gets a provisioning key, and binds the key pair of this device with it: see README.md.
set -u; umask 077; export LC_ALL=C
stop() { echo "bind.sh: $2" >&2; exit "$1"; }
STATE=${STATE:-device.json} offset=0 nonce='' end=$(($(date +%s) + ${DEADLINE:-120}))
pem=$STATE.pem request=$STATE.request lf=$(printf '\n_') lf=${lf%_}
if [ -s "$STATE" ]; then echo "already bound: see $STATE"; exit 0; fi
[ "${ISSUER:-}" ] && [ "${CLIENT_ID:-}" ] && [ "${CLIENT_SECRET:-}" ] || stop 1 'set ISSUER, CLIENT_ID, CLIENT_SECRET'

# Saves the standard input, as a whole or not at all. If there is such a file already, it stays.
save() { grep . > "$1.$$" && sync "$1.$$" && ln "$1.$$" "$1" 2> /dev/null; rm -f "$1.$$"; [ -s "$1" ]; }
b64() { openssl base64 -A | tr '+/' '-_' | tr -d '='; }
sha256() { printf %s "$1" | openssl dgst -sha256 -binary | b64; }
encode() { printf %s "$1" | od -An -v -tx1 | tr -d ' \n' | sed 's/../%&/g'; }
member() { printf %s "$body" | tr '\n' ' ' | sed -n "s/.*\"$1\" *: *\"\([^\"\\\\]*\)\".*/\1/p"; }
header() { printf %s "$answer" | awk -F: -v n="$1" '!NF { exit } tolower($1) == n && sub(/[^:]*: */, "")'; }
# Turns an HTTP date into seconds since 1970. Years begin in March here, because February has no fixed length.
seconds() { tr : ' ' | awk 'NF == 8 && $2 $4 $5 $6 $7 ~ /^[0-9]+$/ {
  m = (index("MarAprMayJunJulAugSepOctNovDecJanFeb", $3) - 1) / 3; y = $4 - (m > 9)
  printf "%.0f", (((int(365.25 * y) + int((153 * m + 2) / 5) + $2 - 719484) * 24 + $5) * 60 + $6) * 60 + $7 }'; }
# proof URL KEY: makes a DPoP proof for one POST (RFC 9449 4.2)
proof() {
  ath=${2:+,\"ath\":\"$(sha256 "$2")\"} jti=$(openssl rand -hex 16) iat=$(($(date +%s) + offset))
  claims=$(printf '{"jti":"%s","htm":"POST","htu":"%s","iat":%s%s%s}' "$jti" "$1" "$iat" "$ath" "$nonce" | b64)
  printf %s "$(printf '{"typ":"dpop+jwt","alg":"EdDSA","jwk":%s}' "$jwk" | b64).$claims" > "$STATE.$$"
  cat "$STATE.$$"; echo ".$(openssl pkeyutl -sign -rawin -inkey "$pem" -in "$STATE.$$" | b64)"; rm "$STATE.$$"
}
# send URL AUTHORIZATION KEY [CURL ARGUMENTS]: sends a request until it is answered. No argument of curl is a secret.
send() { url=$1 auth=$2 key=$3 try=0; shift 3
  while try=$((try + 1)); do
    answer=$({ [ ! "$auth" ] || printf 'Authorization: %s\nDPoP: %s\n' "$auth" "$(proof "$url" "$key")"; } | {
      curl -qgsi -m 15 --max-filesize 99999 -H @- -w '\n%{http_code}' "$@" "$url" || printf 'curl%s' $?; } | tr -d '\r')
    status=${answer##*"$lf"} body=${answer#*"$lf$lf"}; error=$(member error | tr -cd A-Za-z_ | cut -c -40)
    now=$(header date | seconds); [ ! "$now" ] || offset=$((now - $(date +%s)))
    new=$(header dpop-nonce | tr -cd '!#-[]-~'); nonce=${new:+,\"nonce\":\"$new\"}
    case $status,$try$error in
      *curl60,* | *curl77,*) stop 75 "cannot trust the certificate of $url" ;;
      20[01],*) case $body in '{'*) return ;; *) stop 75 "$url answered with something other than JSON" ;; esac ;;
      *,[1-5]use_dpop_nonce | *,[1-5]invalid_dpop_proof) continue ;; # the answer had the right nonce and the right time
      *curl*,* | 40[89],* | 42[59],* | 5??,*)
        delay=$(header retry-after | grep -x '[1-9][0-9]\{0,4\}') || delay=$((1 << (try < 6 ? try - 1 : 5)))
        [ $(($(date +%s) + delay)) -lt $end ] || stop 75 "no answer from $url yet: $status $error. Run this again later"
        sleep $((delay + $(od -An -N1 -tu1 /dev/urandom) % (delay + 1))) ;;
      *) [ "$status $error" != '401 invalid_token' ] || rm -f "$request"
        stop "$([ "$error" ] && echo 1 || echo 75)" "$url refused: $status $error" ;;
    esac
  done
}

[ -s "$pem" ] || openssl genpkey -algorithm ED25519 2> /dev/null | save "$pem" || stop 1 "cannot save $pem"
jwk="{\"crv\":\"Ed25519\",\"kty\":\"OKP\",\"x\":\"$(openssl pkey -in "$pem" -pubout -outform DER | tail -c 32 | b64)\"}"
if [ ! -s "$request" ]; then
  host=$(printf %s "$ISSUER" | sed -En 's;^(https://[^/?#@ ]+|http://localhost(:[0-9]+)?)(/.*)?$;\1;p')
  [ "$host" ] || stop 1 'ISSUER must be an https URL, or begin with http://localhost'
  path=${ISSUER#"$host"}; send "$host/.well-known/oauth-authorization-server${path%/}" '' ''
  token=$(member token_endpoint) bind=$(member provisioning_binding_endpoint)
  case $(member issuer),$token,$bind in "$ISSUER,$host"/*,"$host"/*) ;; *) stop 1 "$url is of another issuer" ;; esac
  id=$(encode "$CLIENT_ID") secret=$(encode "$CLIENT_SECRET") scope=$(encode "${SCOPE:-provision:bind}")
  send "$token" "Basic $(printf %s "$id:$secret" | openssl base64 -A)" '' -d grant_type=client_credentials \
    -d "scope=$scope${SUBJECT:+&requested_subject=$(encode "$SUBJECT")}"
  key=$(member access_token | tr -cd A-Za-z0-9._-)
  case $(member token_type),$key in [Dd][Pp][Oo][Pp],?*) ;; *) stop 1 "$url answered without a DPoP-bound key" ;; esac
  printf '%s\n' "$bind" "$key" | save "$request" || stop 1 "cannot save $request"
fi
{ read -r bind; read -r key; } < "$request"
send "$bind" "DPoP $key" "$key" -X POST
[ "$(member jkt)" = "$(sha256 "$jwk")" ] || stop 1 "$url answered with a binding of another key pair"
printf %s "${body%"$lf"*}" | save "$STATE" && rm -f "$request" && echo "bound: see $STATE" || stop 1 'cannot save it'
