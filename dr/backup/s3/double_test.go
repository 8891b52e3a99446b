package s3

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// double is a store of one bucket, over HTTP: it checks signatures, lists in small pages, and fails
// as it is told.
type double struct {
	t       *testing.T
	mu      sync.Mutex
	objects map[string][]byte
	asked   int
	page    int
	// fault may answer in the store's place; true: it did.
	fault func(asked int, w http.ResponseWriter, r *http.Request) bool
}

var doubleCredentials = Credentials{ID: "tester", Secret: "not a secret", Token: "session"}

func newDouble(t *testing.T) (*double, *Target) {
	t.Helper()
	d := &double{t: t, objects: make(map[string][]byte), page: 4}
	server := httptest.NewServer(d)
	t.Cleanup(server.Close)
	return d, d.target(t, server.URL, doubleCredentials)
}

func (d *double) target(t *testing.T, endpoint string, c Credentials) *Target {
	t.Helper()
	target, err := New(Options{Bucket: "bucket", Prefix: "tokyo 1", Endpoint: endpoint,
		PathStyle: true, Credentials: c, Pause: time.Millisecond, Tries: 4})
	if err != nil {
		t.Fatal(err)
	}
	return target
}

func (d *double) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	d.asked++
	asked, fault := d.asked, d.fault
	d.mu.Unlock()
	if fault != nil && fault(asked, w, r) {
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	if code := d.refuses(r, body); code != "" {
		d.answer(w, http.StatusForbidden, code)
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	key, inBucket := strings.CutPrefix(r.URL.Path, "/bucket/")
	object, there := d.objects[key]
	switch {
	case r.URL.Path == "/bucket":
		d.list(w, r)
	case !inBucket:
		d.answer(w, http.StatusNotFound, "NoSuchBucket")
	case r.Method == http.MethodPut:
		d.objects[key] = body
	case r.Method == http.MethodDelete:
		delete(d.objects, key)
		w.WriteHeader(http.StatusNoContent)
	case !there:
		d.answer(w, http.StatusNotFound, "NoSuchKey")
	default:
		w.Header().Set("Content-Length", strconv.Itoa(len(object)))
		_, _ = w.Write(object)
	}
}

// refuses checks a signature by signing what came.
func (d *double) refuses(r *http.Request, body []byte) (code string) {
	sum := sha256.Sum256(body)
	if r.Header.Get("X-Amz-Content-Sha256") != hex.EncodeToString(sum[:]) {
		return "XAmzContentSHA256Mismatch"
	}
	at, err := time.Parse(signedTime, r.Header.Get("X-Amz-Date"))
	if err != nil || time.Since(at).Abs() > 15*time.Minute {
		return "RequestTimeTooSkewed"
	}
	again := r.Clone(r.Context())
	again.URL.Host = r.Host
	again.Header = http.Header{}
	_, signed, _ := strings.Cut(r.Header.Get("Authorization"), "SignedHeaders=")
	signed, _, _ = strings.Cut(signed, ",")
	for name := range strings.SplitSeq(signed, ";") {
		if name != "host" {
			again.Header.Set(name, r.Header.Get(name))
		}
	}
	sign(again, hex.EncodeToString(sum[:]), &doubleCredentials, "us-east-1", at)
	if again.Header.Get("Authorization") != r.Header.Get("Authorization") {
		return "SignatureDoesNotMatch"
	}
	return ""
}

func (d *double) answer(w http.ResponseWriter, status int, code string) {
	w.WriteHeader(status)
	_, _ = io.WriteString(w, xml.Header+"<Error><Code>"+code+"</Code><Message>no</Message></Error>")
}

func (d *double) list(w http.ResponseWriter, r *http.Request) {
	type content struct {
		Key          string
		Size         int
		LastModified time.Time
	}
	var result struct {
		XMLName               xml.Name `xml:"ListBucketResult"`
		IsTruncated           bool
		NextContinuationToken string `xml:",omitempty"`
		Contents              []content
	}
	query := r.URL.Query()
	var keys []string
	for key := range d.objects {
		if strings.HasPrefix(key, query.Get("prefix")) && key > query.Get("continuation-token") {
			keys = append(keys, key)
		}
	}
	slices.SortFunc(keys, cmp.Compare[string])
	for _, key := range keys[:min(d.page, len(keys))] {
		result.Contents = append(result.Contents, content{key, len(d.objects[key]), time.Now().UTC()})
	}
	if result.IsTruncated = len(keys) > d.page; result.IsTruncated {
		result.NextContinuationToken = keys[d.page-1]
	}
	if err := xml.NewEncoder(w).Encode(result); err != nil {
		d.t.Error(err)
	}
}
