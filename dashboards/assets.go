package dashboards

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"net/http"
	"path"
	"strings"
)

//go:embed static
var staticFiles embed.FS

// assets are the files behind /static/. Each is served under a name that holds its hash, so that browsers may keep it
// for ever, and under no other.
type assets struct {
	hashed map[string]string // app.css -> static/app.1a2b3c4d5e.css
	files  map[string]asset  // app.1a2b3c4d5e.css -> the file
}

type asset struct {
	contentType string
	body        []byte
}

func loadAssets() (assets, error) {
	entries, err := staticFiles.ReadDir("static")
	if err != nil {
		return assets{}, fmt.Errorf("list static files: %w", err)
	}
	a := assets{hashed: map[string]string{}, files: map[string]asset{}}
	for _, entry := range entries {
		body, err := staticFiles.ReadFile("static/" + entry.Name())
		if err != nil {
			return assets{}, fmt.Errorf("read static file: %w", err)
		}
		ext := path.Ext(entry.Name())
		sum := sha256.Sum256(body)
		name := strings.TrimSuffix(entry.Name(), ext) + "." + hex.EncodeToString(sum[:5]) + ext
		a.hashed[entry.Name()] = "static/" + name
		a.files[name] = asset{contentTypes[ext], body}
	}
	return a, nil
}

// contentTypes are set here because the type table of a machine may lack or change them.
var contentTypes = map[string]string{
	".css": "text/css; charset=utf-8",
	".js":  "text/javascript; charset=utf-8",
	".svg": "image/svg+xml",
}

// ServeHTTP answers /static/{name}.
func (a assets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	file, ok := a.files[r.PathValue("name")]
	if !ok {
		write(w, http.StatusNotFound, "text/plain; charset=utf-8", []byte("No such file. Reload the page: the program behind it has changed.\n"))
		return
	}
	w.Header().Set("Content-Type", file.contentType)
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(file.body) // an error here means that the client has left
}

// path returns the address of a file relative to the root of the console. Templates name files that exist.
func (a assets) path(name string) (string, error) {
	p, ok := a.hashed[name]
	if !ok {
		return "", fmt.Errorf("no static file %q", name)
	}
	return p, nil
}
