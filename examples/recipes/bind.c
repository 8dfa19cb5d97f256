// Gets a provisioning key, and binds the key pair of this device with it: see README.md.
#define _GNU_SOURCE
#include <curl/curl.h>
#include <fcntl.h>
#include <libgen.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

// This program is short, so it frees no text before it ends.
#define format(...) ({ char *made; asprintf(&made, __VA_ARGS__) < 0 ? abort() : (void)0; made; })
#define stop_if(wrong, code, ...) \
  do if (wrong) exit((fprintf(stderr, "bind: %s\n", format(__VA_ARGS__)), code)); while (0)

static char *attempt, *jwk, *nonce = "", *body; // body: of the last answer
static time_t end, skew;                               // skew: how far the clock of the issuer is ahead of ours
static EVP_PKEY *pair;

static char *env(const char *name, char *preset) {
  char *value = getenv(name);
  stop_if(preset == NULL && (value == NULL || *value == 0), 1, "set %s", name);
  return value == NULL || *value == 0 ? preset : value;
}

static char *base64(const void *data, size_t size) {
  char *encoded = calloc(1, size * 2 + 5);
  EVP_EncodeBlock((unsigned char *)encoded, data, size);
  return encoded;
}

static char *base64url(const void *data, size_t size) {
  char *encoded = base64(data, size);
  encoded[strcspn(encoded, "=")] = 0;
  for (char *at = encoded; *at; at++) *at = *at == '+' ? '-' : *at == '/' ? '_' : *at;
  return encoded;
}

static char *digest(const char *data) {
  unsigned char sum[32];
  EVP_Digest(data, strlen(data), sum, NULL, EVP_sha256(), NULL);
  return base64url(sum, sizeof sum);
}

// Saves a file with the mode 0600, as a whole or not at all.
static void save(const char *path, const char *data) {
  char *part = format("%s.new", path);
  int file = open(part, O_CREAT | O_WRONLY | O_TRUNC | O_SYNC, 0600);
  stop_if(write(file, data, strlen(data)) != (ssize_t)strlen(data) || rename(part, path), 1, "cannot save %s", path);
}

static void save_pair(const char *path, EVP_PKEY *made) {
  char *data;
  BIO *memory = BIO_new(BIO_s_mem());
  PEM_write_bio_PKCS8PrivateKey(memory, made, NULL, NULL, 0, NULL, NULL);
  long size = BIO_get_mem_data(memory, &data);
  save(path, strndup(data, size));
}

// Returns a member of the last answer that is a text, or an empty text.
static char *member(const char *name) {
  char *found = strstr(body, format("\"%s\"", name)), *value = calloc(1, strlen(body) + 1);
  int size = 0; // stays 0 unless the text ends with a quotation mark
  if (found) sscanf(found + strlen(name) + 2, " : \"%[^\"\\]\"%n", value, &size);
  return size ? value : strdup("");
}

// Makes a DPoP proof for one POST (RFC 9449 4.2).
static char *proof(const char *url, const char *key) {
  unsigned char jti[16], signature[64];
  size_t size = sizeof signature;
  char *ath = *key ? format(",\"ath\":\"%s\"", digest(key)) : "";
  char *head = format("{\"typ\":\"dpop+jwt\",\"alg\":\"EdDSA\",\"jwk\":%s}", jwk);
  RAND_bytes(jti, sizeof jti);
  const char *claims = format("{\"jti\":\"%s\",\"htm\":\"POST\",\"htu\":\"%s\",\"iat\":%ld%s%s}",
                              base64url(jti, sizeof jti), url, (long)(time(NULL) + skew), ath, nonce);
  char *data = format("%s.%s", base64url(head, strlen(head)), base64url(claims, strlen(claims)));
  EVP_MD_CTX *context = EVP_MD_CTX_new();
  EVP_DigestSignInit(context, NULL, NULL, NULL, pair);
  EVP_DigestSign(context, signature, &size, (unsigned char *)data, strlen(data));
  return format("%s.%s", data, base64url(signature, size));
}

static size_t append(char *data, size_t one, size_t size, void *unused) {
  (void)one, (void)unused;
  body = format("%s%.*s", body, (int)size, data);
  return strlen(body) < 99999 ? size : 0;
}

static char *header(CURL *curl, const char *name) {
  struct curl_header *found;
  return curl_easy_header(curl, name, 0, CURLH_HEADER, -1, &found) ? "" : found->value;
}

// Sends a request, each time with a new proof, until it is answered.
static void send_request(const char *url, const char *authorization, const char *key, const char *form) {
  for (int try = 0;; try++) {
    CURL *curl = curl_easy_init();
    struct curl_slist *headers = NULL;
    if (*authorization) {
      headers = curl_slist_append(headers, format("Authorization: %s", authorization));
      headers = curl_slist_append(headers, format("DPoP: %s", proof(url, key)));
      headers = curl_slist_append(headers, *form ? "Accept: application/json" : "Content-Type:");
      curl_easy_setopt(curl, CURLOPT_COPYPOSTFIELDS, form);
    }
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, append);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, 15L);
    if (*env("CURL_CA_BUNDLE", "")) curl_easy_setopt(curl, CURLOPT_CAINFO, env("CURL_CA_BUNDLE", ""));
    body = "";
    CURLcode fault = curl_easy_perform(curl);
    stop_if(fault == CURLE_PEER_FAILED_VERIFICATION || fault == CURLE_SSL_CACERT_BADFILE, 75, "cannot trust %s", url);
    long status = 0;
    if (fault == CURLE_OK) curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    char *date = header(curl, "Date"), *sent = header(curl, "DPoP-Nonce"), *error = member("error");
    if (curl_getdate(date, NULL) > 0) skew = curl_getdate(date, NULL) - time(NULL);
    nonce = *sent && !strpbrk(sent, "\"\\") ? format(",\"nonce\":\"%s\"", sent) : "";
    error[strspn(error, "abcdefghijklmnopqrstuvwxyz_")] = 0;
    stop_if(status / 100 == 2 && *body != '{', 75, "%s answered with something other than JSON", url);
    if (status == 200 || status == 201) return;
    if ((!strcmp(error, "use_dpop_nonce") || !strcmp(error, "invalid_dpop_proof")) && try < 5) continue;
    if (status == 401 && !strcmp(error, "invalid_token")) unlink(attempt);
    int is_transient = status == 0 || status == 408 || status == 409 || status == 425 || status == 429 || status >= 500;
    stop_if(!is_transient, *error ? 1 : 75, "%s refused: %ld %.40s", url, status, error);
    long wait = strtol(header(curl, "Retry-After"), NULL, 10);
    long delay = wait > 0 && wait < 99999 ? wait : 1L << (try < 5 ? try : 5);
    stop_if(time(NULL) + delay > end, 75, "no answer from %s yet: %ld %.40s. Run this again later", url, status, error);
    usleep(1000000 * (delay + drand48() * delay));
  }
}

// Asks for a key that is bound to the key pair, and saves the request that redeems it.
static void ask(const char *issuer, const char *id, const char *secret) {
  size_t scheme = strncmp(issuer, "http://", 7) ? 8 : 7, size = scheme + strcspn(issuer + scheme, "/?#@ ");
  char *host = strndup(issuer, size), *path = strdup(issuer + size), *url;
  int is_local = !strcmp(host, "http://localhost") || !strncmp(host, "http://localhost:", 17);
  stop_if((*path && *path != '/') || (strncmp(host, "https://", 8) && !is_local), 1, "ISSUER must be an https URL");
  if (*path && path[strlen(path) - 1] == '/') path[strlen(path) - 1] = 0;
  send_request(url = format("%s/.well-known/oauth-authorization-server%s", host, path), "", "", "");
  char *token = member("token_endpoint"), *bind = member("provisioning_binding_endpoint");
  int is_ours = !strcmp(member("issuer"), issuer) && !strncmp(token, host, size) && !strncmp(bind, host, size);
  stop_if(!is_ours || token[size] != '/' || bind[size] != '/', 1, "%s describes another issuer than %s", url, issuer);
  char *user = format("%s:%s", curl_easy_escape(NULL, id, 0), curl_easy_escape(NULL, secret, 0));
  char *scope = curl_easy_escape(NULL, env("SCOPE", "provision:bind"), 0);
  char *subject = curl_easy_escape(NULL, env("SUBJECT", ""), 0);
  char *form = format("grant_type=client_credentials&scope=%s&requested_subject=%s", scope, subject);
  send_request(token, format("Basic %s", base64(user, strlen(user))), "", form);
  char *key = member("access_token");
  int is_bound = !strcasecmp(member("token_type"), "DPoP") && *key && !strpbrk(key, " \r\n");
  stop_if(!is_bound, 1, "%s answered without a DPoP-bound key", token);
  save(attempt, format("%s %s", bind, key));
}

int main(void) {
  char *state = env("STATE", "device.json"), *pem = format("%s.pem", state), *url, *key;
  attempt = format("%s.request", state);
  end = time(NULL) + atol(env("DEADLINE", "120"));
  srand48(time(NULL) ^ getpid());
  flock(open(dirname(strdup(state)), O_RDONLY), LOCK_EX); // two processes share one key pair
  if (access(state, F_OK) == 0) return printf("already bound: see %s\n", state) < 0;
  char *issuer = env("ISSUER", NULL), *id = env("CLIENT_ID", NULL), *secret = env("CLIENT_SECRET", NULL);
  if (access(pem, F_OK)) save_pair(pem, EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"));
  pair = PEM_read_PrivateKey(fopen(pem, "r"), NULL, NULL, NULL);
  unsigned char x[32];
  size_t size = sizeof x;
  EVP_PKEY_get_raw_public_key(pair, x, &size);
  jwk = format("{\"crv\":\"Ed25519\",\"kty\":\"OKP\",\"x\":\"%s\"}", base64url(x, size));
  if (access(attempt, F_OK)) ask(issuer, id, secret);
  stop_if(fscanf(fopen(attempt, "r"), "%ms %ms", &url, &key) != 2, 1, "cannot read %s", attempt);
  send_request(url, format("DPoP %s", key), key, "");
  stop_if(strcmp(member("jkt"), digest(jwk)), 1, "%s bound another key pair", url);
  save(state, body);
  unlink(attempt);
  printf("bound: see %s\n", state);
}
