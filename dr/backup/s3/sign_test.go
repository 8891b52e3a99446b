package s3

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// Examples of Amazon's "Signature Calculations for the Authorization Header: Transferring Payload
// in a Single Chunk".
func TestPublishedSignatures(t *testing.T) {
	const empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	c := &Credentials{ID: "AKIAIOSFODNN7EXAMPLE", Secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"}
	at := time.Date(2013, 5, 24, 0, 0, 0, 0, time.UTC)
	for _, e := range []struct {
		name, method, path string
		query              map[string]string
		headers            map[string]string
		payload, signature string
	}{
		{"get object", "GET", "/test.txt", nil, map[string]string{"Range": "bytes=0-9"}, empty,
			"f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"},
		{"put object", "PUT", "/test$file.text", nil, map[string]string{
			"Date":                "Fri, 24 May 2013 00:00:00 GMT",
			"X-Amz-Storage-Class": "REDUCED_REDUNDANCY"},
			"44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072",
			"98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"},
		{"get bucket lifecycle", "GET", "/", map[string]string{"lifecycle": ""}, nil, empty,
			"fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"},
		{"list objects", "GET", "/", map[string]string{"max-keys": "2", "prefix": "J"}, nil, empty,
			"34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"},
	} {
		target, err := New(Options{Bucket: "examplebucket", Endpoint: "https://s3.amazonaws.com",
			Credentials: *c})
		if err != nil {
			t.Fatal(err)
		}
		address := target.address(strings.TrimPrefix(e.path, "/"), e.query)
		r, err := http.NewRequest(e.method, address.String(), nil)
		if err != nil {
			t.Fatal(err)
		}
		for name, value := range e.headers {
			r.Header.Set(name, value)
		}
		sign(r, e.payload, c, "us-east-1", at)
		if got := r.Header.Get("Authorization"); !strings.HasSuffix(got, "Signature="+e.signature) {
			t.Errorf("%s: %s, not %s", e.name, got, e.signature)
		}
	}
}

func TestAddresses(t *testing.T) {
	o := Options{Bucket: "b", Prefix: "/tokyo 1/", Endpoint: "http://127.0.0.1:9000", PathStyle: true,
		Credentials: Credentials{ID: "i", Secret: "s"}}
	target, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	if got := target.address(target.o.Prefix+"a+b", nil).String(); got !=
		"http://127.0.0.1:9000/b/tokyo%201/a%2Bb" {
		t.Error(got)
	}
	if got := target.address("", map[string]string{"prefix": "a/b"}).String(); got !=
		"http://127.0.0.1:9000/b?prefix=a%2Fb" {
		t.Error(got)
	}
	if text := target.String(); text != "s3://b/tokyo 1 at 127.0.0.1:9000" {
		t.Error(text)
	}
	for _, bad := range []func(*Options){
		func(o *Options) { o.Bucket = "" },
		func(o *Options) { o.Bucket = "a/b" },
		func(o *Options) { o.Endpoint = "ftp://x" },
		func(o *Options) { o.Endpoint = "s3.example.com" },
		func(o *Options) { o.Endpoint = "https://s3.example.com/path" },
		func(o *Options) { o.Credentials.Secret = "" },
	} {
		worse := o
		bad(&worse)
		if _, err := New(worse); err == nil {
			t.Errorf("%+v was taken", worse.Endpoint)
		}
	}
}
