package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"syscall"

	"github.com/spf13/cobra"

	cardswitch "cardswitch/switch"
	"cardswitch/switch/admin"
)

// client asks a running switch over its operators' socket.
type client struct {
	socket string
	http   *http.Client
}

func newClient(command *cobra.Command) (*client, error) {
	socket, err := socketPath(command)
	if err != nil {
		return nil, err
	}
	return clientOf(socket), nil
}

func clientOf(socket string) *client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", socket)
	}
	transport := &http.Transport{DialContext: dial}
	return &client{socket: socket, http: &http.Client{Transport: transport}}
}

// socketPath is the flag, else what environment and configuration say.
func socketPath(command *cobra.Command) (string, error) {
	flags := command.Flags()
	if socket, _ := flags.GetString("socket"); socket != "" {
		return socket, nil
	}
	if socket := os.Getenv(envName("admin.socket")); socket != "" {
		return socket, nil
	}
	l, err := load(flags)
	if err != nil {
		return "", err
	}
	if err := l.one(); err != nil {
		return "", err
	}
	if l.Admin.Socket == "" {
		d := cardswitch.Defaults()
		d.Complete()
		return d.Admin.Socket, nil
	}
	return l.Admin.Socket, nil
}

// get asks and reads one JSON value into the result.
func (c *client) get(ctx context.Context, path string, query url.Values, into any) error {
	return c.do(ctx, http.MethodGet, path, query, nil, into)
}

// post acts.
func (c *client) post(ctx context.Context, path string, body, into any) error {
	return c.do(ctx, http.MethodPost, path, nil, body, into)
}

func (c *client) do(ctx context.Context, method, path string, query url.Values,
	body, into any) error {
	response, err := c.send(ctx, method, path, query, body)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if err := json.NewDecoder(response.Body).Decode(into); err != nil {
		return fmt.Errorf("the switch's answer can't be read: %w", err)
	}
	return nil
}

// put sends bytes as they are: a key's component, which JSON would copy.
func (c *client) put(ctx context.Context, path string, query url.Values, raw []byte,
	into any) error {
	return c.do(ctx, http.MethodPost, path, query, raw, into)
}

// send returns an answer that is good, its body still to be read.
func (c *client) send(ctx context.Context, method, path string, query url.Values,
	body any) (*http.Response, error) {
	var content io.Reader
	switch raw := body.(type) {
	case nil:
	case []byte:
		content = bytes.NewReader(raw)
	case io.Reader: // a file, as long as it is
		content = raw
	default:
		text, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		content = bytes.NewReader(text)
	}
	address := "http://cardswitch" + path
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	request, err := http.NewRequestWithContext(ctx, method, address, content)
	if err != nil {
		return nil, err
	}
	response, err := c.http.Do(request)
	if err != nil {
		return nil, c.unreachable(err)
	}
	if response.StatusCode == http.StatusOK {
		return response, nil
	}
	defer response.Body.Close()
	return nil, problem(response)
}

// unreachable tells why nobody answers in the words of someone who must act.
func (c *client) unreachable(err error) error {
	hint := "start it with `cardswitch start`, or name its socket with --socket"
	what := fmt.Errorf("no switch answers at %s", c.socket)
	switch {
	case errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
	case errors.Is(err, fs.ErrPermission):
		what = fmt.Errorf("you may not open %s", c.socket)
		hint = "only the switch's user and group may"
	default:
		// Not wrapped: a broken pipe to the switch is no reader of ours who has seen enough.
		what = fmt.Errorf("the switch at %s went away: %v", c.socket, err)
		hint = "see its log"
	}
	return &failure{Code: exitUnreachable, What: what, Hint: hint}
}

// problem reads why the switch refused.
func problem(response *http.Response) error {
	var p admin.Problem
	if err := json.NewDecoder(response.Body).Decode(&p); err != nil || p.Error == "" {
		p.Error = "the switch answered " + response.Status
	}
	code := exitFailed
	switch response.StatusCode {
	case http.StatusBadRequest:
		code = exitUsage
	case http.StatusServiceUnavailable: // it is there, but waits for its master key
		code = exitUnhealthy
	}
	return &failure{Code: code, What: errors.New(p.Error), Hint: p.Hint}
}

// show asks and prints: JSON as it is, or as the table that print makes of it.
func show[T any](command *cobra.Command, path string, query url.Values,
	print func(*cobra.Command, T) error) error {
	c, err := newClient(command)
	if err != nil {
		return err
	}
	var value T
	if err := c.get(command.Context(), path, query, &value); err != nil {
		return err
	}
	if wantsJSON(command) {
		return printJSON(command, value)
	}
	return print(command, value)
}

// act does something and prints what was done.
func act(command *cobra.Command, path string, body any) error {
	c, err := newClient(command)
	if err != nil {
		return err
	}
	var done admin.Done
	if err := c.post(command.Context(), path, body, &done); err != nil {
		return err
	}
	if wantsJSON(command) {
		return printJSON(command, done)
	}
	_, err = fmt.Fprintln(command.OutOrStdout(), done.Done)
	return err
}
