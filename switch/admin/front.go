package admin

import (
	"context"
	"net"
	"net/http"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
)

// Front lets servers take turns behind the same doors: a node is now a standby, now the active one,
// and its operators find it at the same place.
type Front struct{ shown atomic.Pointer[shown] }

type shown struct {
	server            *Server
	operators, public http.Handler
}

// Show puts a server behind the doors. Requests under way stay with the one before.
func (f *Front) Show(s *Server) { f.shown.Store(&shown{s, s.Operators(), s.Public()}) }

// Server is the one that was shown last.
func (f *Front) Server() *Server { return f.shown.Load().server }

// Serve answers on both doors until ctx ends. Public may be nil. A server must be shown.
func (f *Front) Serve(ctx context.Context, operators, public net.Listener) error {
	group, ctx := errgroup.WithContext(ctx)
	s := f.Server()
	group.Go(func() error {
		return s.serve(ctx, operators, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			f.shown.Load().operators.ServeHTTP(w, r)
		}))
	})
	if public != nil {
		group.Go(func() error {
			return s.serve(ctx, public, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				f.shown.Load().public.ServeHTTP(w, r)
			}))
		})
	}
	return group.Wait()
}
