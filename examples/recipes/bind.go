// Gets a provisioning key, and binds the key pair of this device with it: see README.md.
package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
)

var state = env("STATE", "device.json")
var seed, attempt = state + ".seed", state + ".request"
var jwk, nonce, skew = "", "", time.Duration(0) // skew: how far the clock of the issuer is ahead of ours
var encode, end = base64.RawURLEncoding.EncodeToString, time.Now().Add(seconds(env("DEADLINE", "120")))
var client = http.Client{Timeout: 15 * time.Second, CheckRedirect: refuseRedirect}
var private ed25519.PrivateKey

func refuseRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

type answer struct {
	Issuer, Token_endpoint, Provisioning_binding_endpoint, Access_token, Token_type, Error string
	Cnf                                                                                    struct{ Jkt string }
}

func stopIf(isWrong bool, code int, words ...any) {
	if isWrong {
		fmt.Fprint(os.Stderr, "bind: ", fmt.Sprintln(words...))
		os.Exit(code)
	}
}

func must[T any](value T, err error) T {
	stopIf(err != nil, 1, err)
	return value
}

func env(name, preset string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	stopIf(preset == "?", 1, "set", name)
	return preset
}

func seconds(text string) time.Duration { return time.Duration(must(strconv.Atoi(text))) * time.Second }

func random(size int) []byte { return must(io.ReadAll(io.LimitReader(rand.Reader, int64(size)))) }

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return encode(sum[:])
}

// Saves a file with the mode 0600, as a whole or not at all.
func save(path string, text []byte) {
	file := must(os.OpenFile(path+".new", os.O_CREATE|os.O_WRONLY|os.O_TRUNC|os.O_SYNC, 0o600))
	must(file.Write(text))
	must(0, os.Rename(path+".new", path))
}

// Makes a DPoP proof for one POST (RFC 9449 4.2).
func proof(target, key string) string {
	claims := map[string]any{"jti": encode(random(16)), "htm": "POST", "htu": target, "iat": time.Now().Add(skew).Unix()}
	if key != "" {
		claims["ath"] = digest(key)
	}
	if nonce != "" {
		claims["nonce"] = nonce
	}
	signed := encode([]byte(`{"typ":"dpop+jwt","alg":"EdDSA","jwk":`+jwk+`}`)) + "." + encode(must(json.Marshal(claims)))
	return signed + "." + encode(ed25519.Sign(private, []byte(signed)))
}

// Sends one request. Without an answer, the status is 0.
func exchange(method, target string, header http.Header, form string) (status int, got http.Header, text []byte) {
	request := must(http.NewRequest(method, target, strings.NewReader(form)))
	request.Header = header
	response, err := client.Do(request)
	if err == nil {
		defer response.Body.Close()
		text, err = io.ReadAll(io.LimitReader(response.Body, 99999))
	}
	if err != nil {
		stopIf(strings.Contains(err.Error(), "x509: "), 75, "cannot trust the certificate of", target)
		return 0, http.Header{}, nil
	}
	return response.StatusCode, response.Header, text
}

// Sends a request, each time with a new proof, until it is answered.
func send(method, target, authorization, key, form string) (found answer, text []byte) {
	for try := 0; ; try++ {
		header := http.Header{"Authorization": {authorization}, "Content-Type": {"application/x-www-form-urlencoded"}}
		if form == "" {
			header.Del("Content-Type")
		}
		if method == "POST" {
			header.Set("DPoP", proof(target, key))
		}
		status, header, text := exchange(method, target, header, form)
		if date, err := http.ParseTime(header.Get("Date")); err == nil {
			skew = time.Until(date)
		}
		found, nonce = answer{}, header.Get("DPoP-Nonce")
		fault := json.Unmarshal(text, &found)
		reason := regexp.MustCompile("[^A-Za-z_]").ReplaceAllString(fmt.Sprintf("%.40s", found.Error), "")
		isTransient := status == 0 || status == 408 || status == 409 || status == 425 || status == 429 || status >= 500
		if status == 200 || status == 201 {
			stopIf(fault != nil, 75, target, "answered with something other than JSON")
			return found, text
		}
		if (reason == "use_dpop_nonce" || reason == "invalid_dpop_proof") && try < 5 {
			continue // the answer had the right nonce and the right time
		}
		if status == 401 && reason == "invalid_token" {
			os.Remove(attempt)
		}
		stopIf(!isTransient && reason == "", 75, target, "refused:", status)
		stopIf(!isTransient, 1, target, "refused:", status, reason)
		delay := time.Second << uint(try%6)
		if regexp.MustCompile(`^[1-9]\d{0,4}$`).MatchString(header.Get("Retry-After")) {
			delay = seconds(header.Get("Retry-After"))
		}
		isLate := time.Now().Add(delay).After(end)
		stopIf(isLate, 75, "no answer from", target, "yet:", status, reason, "(run this again later)")
		time.Sleep(delay + delay*time.Duration(random(1)[0])/256)
	}
}

// Asks for a key that is bound to the key pair, and saves the request that redeems it.
func ask(issuer, id, secret string) {
	host := regexp.MustCompile(`^(https://[^/?#@\s]+|http://localhost(:\d+)?)/`).FindString(issuer + "/")
	stopIf(host == "", 1, "ISSUER must be an https URL, or begin with http://localhost")
	metadata := host + ".well-known/oauth-authorization-server/" + strings.TrimPrefix(issuer+"/", host)
	found, _ := send("GET", strings.TrimRight(metadata, "/"), "", "", "")
	token, bind := found.Token_endpoint, found.Provisioning_binding_endpoint
	isOurs := found.Issuer == issuer && strings.HasPrefix(token, host) && strings.HasPrefix(bind, host)
	stopIf(!isOurs, 1, metadata, "describes another issuer than", issuer)
	basic := base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(id) + ":" + url.QueryEscape(secret)))
	form := url.Values{"grant_type": {"client_credentials"}, "scope": {env("SCOPE", "provision:bind")}}
	form.Set("requested_subject", env("SUBJECT", ""))
	found, _ = send("POST", token, "Basic "+basic, "", form.Encode())
	isKey := regexp.MustCompile(`^[\w.-]+$`).MatchString(found.Access_token)
	stopIf(!isKey || !strings.EqualFold(found.Token_type, "DPoP"), 1, token, "answered without a DPoP-bound key")
	save(attempt, []byte(bind+"\n"+found.Access_token+"\n"))
}

func main() {
	must(0, syscall.Flock(int(must(os.Open(filepath.Dir(state))).Fd()), syscall.LOCK_EX))
	if _, err := os.Stat(state); err == nil {
		fmt.Println("already bound: see", state)
		return
	}
	issuer, id, secret := env("ISSUER", "?"), env("CLIENT_ID", "?"), env("CLIENT_SECRET", "?")
	if authorities := env("CURL_CA_BUNDLE", ""); authorities != "" {
		pool := x509.NewCertPool()
		stopIf(!pool.AppendCertsFromPEM(must(os.ReadFile(authorities))), 1, "no certificate in", authorities)
		client.Transport = &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: &tls.Config{RootCAs: pool}}
	}
	if _, err := os.Stat(seed); err != nil {
		save(seed, random(ed25519.SeedSize))
	}
	private = ed25519.NewKeyFromSeed(must(os.ReadFile(seed)))
	jwk = `{"crv":"Ed25519","kty":"OKP","x":"` + encode(private[ed25519.SeedSize:]) + `"}`
	if _, err := os.Stat(attempt); err != nil {
		ask(issuer, id, secret)
	}
	saved := strings.Fields(string(must(os.ReadFile(attempt))))
	found, text := send("POST", saved[0], "DPoP "+saved[1], saved[1], "")
	stopIf(found.Cnf.Jkt != digest(jwk), 1, saved[0], "bound another key pair")
	save(state, text)
	must(0, os.Remove(attempt))
	fmt.Println("bound: see", state)
}
