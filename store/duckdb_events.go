package store

import (
	"database/sql/driver"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"unicode/utf8"

	"sundew"
)

// eventColumns is what scanEvent reads, in the order of the table.
const eventColumns = `log_partition, log_offset, time, client_high, client_low, coalesce(forwarded, ''), coalesce(method, ''),
	coalesce(host, ''), coalesce(path, ''), coalesce(query, ''), coalesce(route, ''), status, request_bytes, response_bytes,
	duration_ns, coalesce(user_agent, ''), coalesce(referer, ''), coalesce(device, ''), coalesce(account, ''),
	coalesce(api_key, ''), coalesce(session, ''), coalesce(ja4, ''), coalesce(country, ''), asn, auth::VARCHAR,
	coalesce(auth_username, ''), coalesce(object, ''), attestation::VARCHAR, coalesce(attestation_provider, ''),
	signature::VARCHAR, captcha_score, device_age_ns, coalesce(request_id, ''), coalesce(gateway, ''), gateway_epoch,
	gateway_sequence, edge_action::VARCHAR, edge_delay_ns, coalesce(decision_id, ''), coalesce(attributes, '')`

// appendEvent appends the values of a row of the table events.
func appendEvent(values []driver.Value, e *sundew.Event) ([]driver.Value, error) {
	attributes, err := attributesText(e.Attributes)
	if err != nil {
		return nil, fmt.Errorf("event at offset %d: %w", e.Offset, err)
	}
	high, low := addressBits(e.Client)
	return append(values,
		e.Partition, e.Offset, e.Time.UTC(), high, low, text(e.Forwarded), text(e.Method),
		text(e.Host), text(e.Path), text(e.Query), text(e.Route), int64(e.Status), e.RequestBytes, e.ResponseBytes,
		int64(e.Duration), text(e.UserAgent), text(e.Referer), text(e.Device), text(e.Account),
		text(e.APIKey), text(e.Session), text(e.JA4), text(e.Country), e.ASN, e.Auth.String(),
		text(e.AuthUsername), text(e.Object), e.Attestation.String(), text(e.AttestationProvider),
		e.Signature.String(), e.CaptchaScore, int64(e.DeviceAge), text(e.RequestID), text(e.Gateway), e.GatewayEpoch,
		e.GatewaySequence, e.EdgeAction.String(), int64(e.EdgeDelay), text(e.DecisionID), attributes,
	), nil
}

// scanEvent reads eventColumns.
func scanEvent(r row) (sundew.Event, error) {
	var (
		e                                  sundew.Event
		high, low                          uint64
		auth, attestation, signature, edge string
		attributes                         string
	)
	err := r.Scan(
		&e.Partition, &e.Offset, &e.Time, &high, &low, &e.Forwarded, &e.Method,
		&e.Host, &e.Path, &e.Query, &e.Route, &e.Status, &e.RequestBytes, &e.ResponseBytes,
		&e.Duration, &e.UserAgent, &e.Referer, &e.Device, &e.Account,
		&e.APIKey, &e.Session, &e.JA4, &e.Country, &e.ASN, &auth,
		&e.AuthUsername, &e.Object, &attestation, &e.AttestationProvider,
		&signature, &e.CaptchaScore, &e.DeviceAge, &e.RequestID, &e.Gateway, &e.GatewayEpoch,
		&e.GatewaySequence, &edge, &e.EdgeDelay, &e.DecisionID, &attributes,
	)
	if err != nil {
		return e, err
	}
	e.Client = addressOf(high, low)
	// The engine admits the words of these columns alone, so a word that is not known cannot be there.
	e.Auth, _ = sundew.ParseOutcome(auth)
	e.Attestation, _ = sundew.ParseProof(attestation)
	e.Signature, _ = sundew.ParseProof(signature)
	e.EdgeAction = actionOf(edge)
	if attributes != "" {
		err = json.Unmarshal([]byte(attributes), &e.Attributes)
	}
	return e, err
}

// text is what the appender takes for a text column: nil where the log did not say, and bytes otherwise, because the
// appender cuts a string at its first zero byte. Bytes that are not UTF-8 become U+FFFD.
func text(s string) driver.Value {
	if s == "" {
		return nil
	}
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\ufffd")
	}
	return []byte(s)
}

func attributesText(attributes []sundew.Attribute) (driver.Value, error) {
	if len(attributes) == 0 {
		return nil, nil
	}
	return json.Marshal(attributes)
}

func actionOf(word string) sundew.Action {
	var action sundew.Action
	if word != "" {
		_ = action.UnmarshalText([]byte(word)) // the column admits known words alone
	}
	return action
}

// addressBits returns the address as 128 bits, IPv4 in its mapped form, so that a network of any length is one range.
func addressBits(addr netip.Addr) (high, low uint64) {
	b := addr.As16()
	return binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])
}

func addressOf(high, low uint64) netip.Addr {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], high)
	binary.BigEndian.PutUint64(b[8:], low)
	return netip.AddrFrom16(b).Unmap()
}

// ends returns the first and the last address of a network.
func ends(prefix netip.Prefix) (first, last netip.Addr) {
	first = prefix.Masked().Addr()
	b := first.AsSlice()
	for bit := prefix.Bits(); bit < len(b)*8; bit++ {
		b[bit/8] |= 0x80 >> (bit % 8)
	}
	last, _ = netip.AddrFromSlice(b) // as long as first, hence valid
	return first, last
}
