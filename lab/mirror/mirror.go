// Package mirror serves a folder of images as a mirror of Docker Hub. Many engines pull an image that was fetched once, and need no
// internet.
package mirror

import (
	"bytes"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"

	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/layout"
)

// NameAnnotation is the annotation in the folder's index with the name that the mirror serves an image by, such as
// library/redis:7.2.16.
const NameAnnotation = "org.opencontainers.image.ref.name"

// New returns a handler that serves the images of an OCI image layout. It does not see later changes.
func New(folder string) (http.Handler, error) {
	images, err := layout.FromPath(folder)
	if err != nil {
		return nil, fmt.Errorf("reading the images in %s: %w", folder, err)
	}
	index, err := images.ImageIndex()
	if err != nil {
		return nil, fmt.Errorf("reading the images in %s: %w", folder, err)
	}
	content, err := index.IndexManifest()
	if err != nil {
		return nil, fmt.Errorf("reading the images in %s: %w", folder, err)
	}
	// The registry reads layers from the folder, and keeps manifests in memory. So put them there as a client would.
	handler := registry.New(registry.Logger(log.New(io.Discard, "", 0)),
		registry.WithBlobHandler(registry.NewDiskBlobHandler(filepath.Join(folder, "blobs"))))
	for _, image := range content.Manifests {
		repository, tag, ok := strings.Cut(image.Annotations[NameAnnotation], ":")
		if !ok {
			return nil, fmt.Errorf("the image %s in %s has no name and tag in its annotation %s", image.Digest, folder, NameAnnotation)
		}
		manifest, err := images.Bytes(image.Digest)
		if err != nil {
			return nil, fmt.Errorf("reading the image %s:%s: %w", repository, tag, err)
		}
		request := httptest.NewRequest(http.MethodPut, "/v2/"+repository+"/manifests/"+tag, bytes.NewReader(manifest))
		request.Header.Set("Content-Type", string(image.MediaType))
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, request)
		if answer.Code != http.StatusCreated {
			return nil, fmt.Errorf("the image %s:%s in %s is not served: %d %s", repository, tag, folder, answer.Code, answer.Body)
		}
	}
	return readOnly(handler), nil
}

// readOnly refuses requests that would change the mirror.
func readOnly(handler http.Handler) http.Handler {
	return http.HandlerFunc(func(response http.ResponseWriter, request *http.Request) {
		if request.Method != http.MethodGet && request.Method != http.MethodHead {
			http.Error(response, "this mirror is read-only", http.StatusMethodNotAllowed)
			return
		}
		handler.ServeHTTP(response, request)
	})
}
