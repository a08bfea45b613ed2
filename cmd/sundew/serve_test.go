package main

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
)

func TestTheConsoleIsForInsiders(t *testing.T) {
	s := &server{config: Config{Console: ConsoleConfig{Allow: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("2001:db8::/32")}}}}
	handler := s.insiders(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }))
	for _, test := range []struct {
		peer, forwarded string
		want            int
	}{
		{"127.0.0.1:1", "", http.StatusOK},
		{"[::1]:1", "", http.StatusOK},
		{"[::ffff:127.0.0.1]:1", "", http.StatusOK},
		{"127.0.0.1:1", "192.0.2.1", http.StatusForbidden},
		{"10.1.2.3:1", "", http.StatusOK},
		{"[2001:db8::5]:1", "192.0.2.1", http.StatusOK},
		{"10.2.0.1:1", "", http.StatusForbidden},
		{"192.0.2.1:1", "127.0.0.1", http.StatusForbidden},
		{"[fe80::1%eth0]:1", "", http.StatusForbidden},
		{"rubbish", "", http.StatusForbidden},
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody)
		r.RemoteAddr = test.peer
		if test.forwarded != "" {
			r.Header.Set("X-Forwarded-For", test.forwarded)
		}
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if w.Code != test.want {
			t.Errorf("%s forwarding %q gets %d, want %d", test.peer, test.forwarded, w.Code, test.want)
		}
	}
}
