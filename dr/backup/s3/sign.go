package s3

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Credentials are what signs requests.
type Credentials struct {
	ID     string
	Secret string
	Token  string // of a session; "": none
}

const (
	algorithm  = "AWS4-HMAC-SHA256"
	signedTime = "20060102T150405Z"
)

// sign signs a request whose body has this SHA-256, in hex, with Signature Version 4 of Amazon's
// "Signing AWS API requests", as S3 wants it: the path is escaped once. Every header that is there
// is signed.
func sign(r *http.Request, payload string, c *Credentials, region string, at time.Time) {
	r.Header.Set("X-Amz-Date", at.UTC().Format(signedTime))
	r.Header.Set("X-Amz-Content-Sha256", payload)
	if c.Token != "" {
		r.Header.Set("X-Amz-Security-Token", c.Token)
	}
	headers, names := canonicalHeaders(r)
	canonical := strings.Join([]string{r.Method, r.URL.EscapedPath(), r.URL.RawQuery, headers, names,
		payload}, "\n")
	day := at.UTC().Format("20060102")
	scope := day + "/" + region + "/s3/aws4_request"
	sum := sha256.Sum256([]byte(canonical))
	text := strings.Join([]string{algorithm, at.UTC().Format(signedTime), scope,
		hex.EncodeToString(sum[:])}, "\n")
	key := []byte("AWS4" + c.Secret)
	for _, part := range []string{day, region, "s3", "aws4_request"} {
		key = code(key, part)
	}
	r.Header.Set("Authorization", algorithm+" Credential="+c.ID+"/"+scope+",SignedHeaders="+names+
		",Signature="+hex.EncodeToString(code(key, text)))
}

func code(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

// canonicalHeaders are the host and all headers, sorted, a line each, and their names.
func canonicalHeaders(r *http.Request) (lines, names string) {
	values := map[string]string{"host": r.URL.Host}
	for name, value := range r.Header {
		values[strings.ToLower(name)] = strings.TrimSpace(strings.Join(value, ","))
	}
	var sorted []string
	for name := range values {
		sorted = append(sorted, name)
	}
	slices.Sort(sorted)
	for _, name := range sorted {
		lines += name + ":" + values[name] + "\n"
	}
	return lines, strings.Join(sorted, ";")
}

// canonicalQuery is a query, sorted and escaped as it is signed.
func canonicalQuery(query map[string]string) string {
	var parts []string
	for name, value := range query {
		parts = append(parts, escape(name, false)+"="+escape(value, false))
	}
	slices.Sort(parts)
	return strings.Join(parts, "&")
}

// escape leaves letters, digits and -._~, and slashes of a path.
func escape(text string, path bool) string {
	var b strings.Builder
	for i := range len(text) {
		c := text[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' ||
			strings.IndexByte("-._~", c) >= 0 || path && c == '/' {
			b.WriteByte(c)
			continue
		}
		b.WriteString("%" + strings.ToUpper(hex.EncodeToString([]byte{c})))
	}
	return b.String()
}
