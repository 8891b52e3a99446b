// Package s3 is a backup target in a store that speaks the protocol of Amazon S3.
//
// It needs five of its requests, each of one object of a few megabytes at most, so it makes them
// itself: put, get, head, delete, list. What can be asked again is asked again, with growing
// pauses: lost connections, time-outs, and answers that say that it may be better soon (429, 5xx).
package s3

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"time"

	"cardswitch/dr/backup"
)

// Options say which bucket, and how it is reached. Zero values are sensible but for the bucket.
type Options struct {
	Bucket, Prefix string
	Endpoint       string // as https://s3.example.com; "": Amazon's of the region
	Region         string // "": us-east-1
	// PathStyle puts the bucket into the path of an address, not before its host.
	PathStyle   bool
	Credentials Credentials
	HTTP        *http.Client  // nil: one of its own
	Patience    time.Duration // with one try; 0: 60 s
	Pause       time.Duration // before the second try, doubled for each; 0: 250 ms
	Tries       int           // 0: 6
}

// Target is a bucket, or what in it begins with a prefix.
type Target struct {
	o        Options
	endpoint *url.URL
}

var _ backup.Target = (*Target)(nil)

// New checks the options. It asks nobody.
func New(o Options) (*Target, error) {
	o.Region = cmp.Or(o.Region, "us-east-1")
	o.Endpoint = cmp.Or(o.Endpoint, "https://s3."+o.Region+".amazonaws.com")
	o.Patience = cmp.Or(o.Patience, time.Minute)
	o.Pause = cmp.Or(o.Pause, 250*time.Millisecond)
	o.Tries = cmp.Or(o.Tries, 6)
	o.Prefix = strings.Trim(o.Prefix, "/")
	if o.Prefix != "" {
		o.Prefix += "/"
	}
	endpoint, err := url.Parse(o.Endpoint)
	if err != nil || endpoint.Host == "" || endpoint.Scheme != "https" && endpoint.Scheme != "http" ||
		strings.Trim(endpoint.Path, "/") != "" {
		return nil, fmt.Errorf("%q is no address of a store: write it as https://s3.example.com",
			o.Endpoint)
	}
	if o.Bucket == "" || strings.ContainsAny(o.Bucket, "/?#") {
		return nil, fmt.Errorf("%q is no bucket", o.Bucket)
	}
	if o.Credentials.ID == "" || o.Credentials.Secret == "" {
		return nil, errors.New("there are no credentials for the store")
	}
	client := new(http.Client)
	if o.HTTP != nil {
		*client = *o.HTTP
	}
	client.CheckRedirect = func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse // a request is signed for one address
	}
	o.HTTP = client
	if !o.PathStyle {
		endpoint.Host = o.Bucket + "." + endpoint.Host
	}
	return &Target{o, endpoint}, nil
}

// String says where it is.
func (t *Target) String() string {
	return "s3://" + t.o.Bucket + "/" + strings.TrimSuffix(t.o.Prefix, "/") + " at " + t.endpoint.Host
}

// address is that of a name in the bucket, or of the bucket itself.
func (t *Target) address(key string, query map[string]string) *url.URL {
	path := "/" + key
	if t.o.PathStyle {
		path = strings.TrimSuffix("/"+t.o.Bucket+path, "/")
	}
	u := *t.endpoint
	u.Path, u.RawPath = path, escape(path, true)
	u.RawQuery = canonicalQuery(query)
	return &u
}

// Put writes an object.
func (t *Target) Put(ctx context.Context, name string, object []byte) error {
	_, _, err := t.ask(ctx, http.MethodPut, t.o.Prefix+name, nil, object)
	return err
}

// Get reads an object.
func (t *Target) Get(ctx context.Context, name string) ([]byte, error) {
	_, body, err := t.ask(ctx, http.MethodGet, t.o.Prefix+name, nil, nil)
	return body, err
}

// Size is that of an object.
func (t *Target) Size(ctx context.Context, name string) (int64, error) {
	head, _, err := t.ask(ctx, http.MethodHead, t.o.Prefix+name, nil, nil)
	if err == nil && head.ContentLength < 0 {
		err = fmt.Errorf("%s doesn't say how large %s is", t, name)
	}
	if err != nil {
		return 0, err
	}
	return head.ContentLength, nil
}

// Remove removes an object.
func (t *Target) Remove(ctx context.Context, name string) error {
	_, _, err := t.ask(ctx, http.MethodDelete, t.o.Prefix+name, nil, nil)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// page is one of a list.
type page struct {
	Truncated bool   `xml:"IsTruncated"`
	Next      string `xml:"NextContinuationToken"`
	Contents  []struct {
		Key          string
		Size         int64
		LastModified time.Time
	}
}

// List goes through the names, in their order.
func (t *Target) List(ctx context.Context, prefix string, fn func(backup.Listed) error) error {
	query := map[string]string{"list-type": "2", "prefix": t.o.Prefix + prefix}
	for {
		_, body, err := t.ask(ctx, http.MethodGet, "", query, nil)
		if err != nil {
			return err
		}
		var p page
		if err := xml.Unmarshal(body, &p); err != nil {
			return fmt.Errorf("list %s: %w", t, err)
		}
		for _, c := range p.Contents {
			name, ours := strings.CutPrefix(c.Key, t.o.Prefix)
			if !ours {
				return fmt.Errorf("list %s: %q isn't what was asked for", t, c.Key)
			}
			if err := fn(backup.Listed{Name: name, Size: c.Size, Modified: c.LastModified}); err != nil {
				return err
			}
		}
		if !p.Truncated || p.Next == "" {
			return nil
		}
		query["continuation-token"] = p.Next
	}
}

// refusal is an answer that isn't good.
type refusal struct {
	Status  int
	Code    string
	Message string
	region  string
}

func (r *refusal) Error() string {
	text := fmt.Sprintf("the store answers %d %s", r.Status, cmp.Or(r.Code, http.StatusText(r.Status)))
	if r.Message != "" {
		text += ": " + r.Message
	}
	if r.region != "" {
		text += "; the bucket is in region " + r.region
	}
	return text
}

// Is makes an object that isn't there fs.ErrNotExist.
func (r *refusal) Is(target error) bool {
	return target == fs.ErrNotExist && r.Status == http.StatusNotFound && r.Code != "NoSuchBucket"
}

// passes tells whether it may be better soon.
func (r *refusal) passes() bool {
	return r.Status == http.StatusTooManyRequests || r.Status >= 500 ||
		r.Code == "RequestTimeout" || r.Code == "SlowDown"
}

// ask makes a request, again and again where that may help.
func (t *Target) ask(ctx context.Context, method, key string, query map[string]string,
	content []byte) (*http.Response, []byte, error) {
	pause := t.o.Pause
	for try := 1; ; try++ {
		response, body, err := t.once(ctx, method, key, query, content)
		var refused *refusal
		if err == nil || ctx.Err() != nil || try == t.o.Tries ||
			errors.As(err, &refused) && !refused.passes() {
			if err != nil {
				err = fmt.Errorf("%s %s%s: %w", method, t.o.Prefix, strings.TrimPrefix(key, t.o.Prefix), err)
			}
			return response, body, err
		}
		select {
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		case <-time.After(pause/2 + rand.N(pause)):
		}
		pause *= 2
	}
}

// once makes a request and reads the whole answer.
func (t *Target) once(ctx context.Context, method, key string, query map[string]string,
	content []byte) (*http.Response, []byte, error) {
	ctx, cancel := context.WithTimeout(ctx, t.o.Patience)
	defer cancel()
	address := t.address(key, query)
	request, err := http.NewRequestWithContext(ctx, method, address.String(), bytes.NewReader(content))
	if err != nil {
		return nil, nil, err
	}
	request.URL = address
	if content == nil {
		request.Body = nil
	}
	request.Header.Set("Accept-Encoding", "identity") // so that sizes are those of objects
	sum := sha256.Sum256(content)
	sign(request, hex.EncodeToString(sum[:]), &t.o.Credentials, t.o.Region, time.Now())
	response, err := t.o.HTTP.Do(request)
	if err != nil {
		return nil, nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, backup.MaxObject+1))
	if err == nil && int64(len(body)) > backup.MaxObject {
		err = fmt.Errorf("%w: it is too large", backup.ErrDamaged)
	}
	if response.StatusCode/100 == 2 {
		return response, body, err
	}
	r := &refusal{Status: response.StatusCode, region: response.Header.Get("X-Amz-Bucket-Region")}
	_ = xml.Unmarshal(body, r) // a gateway's page isn't XML; the status says enough
	r.Status = response.StatusCode
	if r.region == t.o.Region {
		r.region = ""
	}
	return response, nil, r
}
