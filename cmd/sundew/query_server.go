package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	queryPath = "/api/v1/query/"
	// maxAnswer bounds what a server may send: some tables of store.MaxRows rows.
	maxAnswer = 1 << 30
)

// askServer asks the process that has the store open.
func askServer(ctx context.Context, base string, q question, a asked) ([]table, error) {
	address, err := url.Parse(base)
	if err != nil || address.Scheme == "" || address.Host == "" {
		return nil, usageError{fmt.Sprintf("server %q: want a URL such as http://127.0.0.1:8080", base)}
	}
	address = address.JoinPath(queryPath, q.name)
	address.RawQuery = a.values().Encode()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address.String(), nil)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, fmt.Errorf("the store is open in another process, which does not answer at %s: %w: give the URL that sundew run printed with --server", base, err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", base, err)
	}
	if response.StatusCode == http.StatusBadRequest {
		return nil, usageError{strings.TrimSpace(string(body))}
	}
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers %s: %s", base, response.Status, fit(string(bytes.TrimSpace(body))))
	}
	var tables []table
	if err := json.Unmarshal(body, &tables); err != nil {
		return nil, fmt.Errorf("%s gives no answer of sundew's (%w): is it the URL of a sundew run of this version?", base, err)
	}
	return tables, nil
}

// serveQuery answers what askServer asks.
func serveQuery(from reader, timeout time.Duration) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		tables, err := answerQuery(r, from, timeout)
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-store")
		var usage usageError
		switch {
		case err == nil:
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(tables) // the client's loss
		case errors.Is(err, errNoQuestion):
			http.Error(w, err.Error(), http.StatusNotFound)
		case errors.As(err, &usage):
			http.Error(w, err.Error(), http.StatusBadRequest)
		default:
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
		}
	})
}

var errNoQuestion = errors.New("there is no such question: sundew help lists those there are")

func answerQuery(r *http.Request, from reader, timeout time.Duration) ([]table, error) {
	ctx, cancel := context.WithTimeout(r.Context(), timeout)
	defer cancel()
	for _, q := range questions() {
		if q.name != r.PathValue("question") {
			continue
		}
		a, err := askedOf(r.URL.Query())
		if err != nil {
			return nil, usageError{err.Error()}
		}
		return q.answer(ctx, from, a)
	}
	return nil, errNoQuestion
}
