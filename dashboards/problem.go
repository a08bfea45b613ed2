package dashboards

import (
	"errors"
	"fmt"
	"net/http"
)

// problem is an answer that is not the page asked for. As JSON it is a problem document (RFC 9457) with the member
// remedy added.
type problem struct {
	Status int    `json:"status"`
	Title  string `json:"title"`
	Detail string `json:"detail"`
	Remedy string `json:"remedy"`
	cause  error
}

// Error returns title and detail, and the cause where there is one.
func (p *problem) Error() string {
	if p.cause != nil {
		return p.Title + ": " + p.cause.Error()
	}
	return p.Title + ": " + p.Detail
}

// Unwrap returns the error that led here, nil where the request itself is at fault.
func (p *problem) Unwrap() error { return p.cause }

// storeAway says that the store did not answer. The cause goes to the log and not to the page.
func storeAway(asked string, cause error) error {
	return &problem{
		Status: http.StatusServiceUnavailable,
		Title:  "The store does not answer",
		Detail: "History cannot be shown. Decisions are still made and enforced: they do not pass through the store.",
		Remedy: "Try again in a moment. If it stays away, look for \"store did not answer\" in sundew's log. The blocklist and the rules can be read meanwhile.",
		cause:  fmt.Errorf("%s: %w", asked, cause),
	}
}

func notFound(what, remedy string) error {
	return &problem{Status: http.StatusNotFound, Title: what + " not found", Detail: "There is nothing at this address.", Remedy: remedy}
}

// problemOf brings any error into the form that is shown.
func problemOf(err error) *problem {
	if p, ok := errors.AsType[*problem](err); ok {
		return p
	}
	return &problem{
		Status: http.StatusInternalServerError,
		Title:  "This page could not be made",
		Detail: "The fault is in sundew, not in the request.",
		Remedy: "Look for \"page failed\" in sundew's log, and report what it says.",
		cause:  err,
	}
}
