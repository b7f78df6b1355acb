package lab

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/match"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"swarm-scale/lab/mirror"
	"swarm-scale/settings"
)

// identityAnnotation has the ID of the image on the machine's engine. A changed image has another ID.
const identityAnnotation = "swarm-scale.lab.id"

// postgresKey is the setting of the database's image, and postgresVariable the variable with it.
const (
	postgresKey      = "postgresImage"
	postgresVariable = "POSTGRES_IMAGE"
)

// imageKeys returns the settings that name an image.
func imageKeys() []string {
	return slices.DeleteFunc(settings.Keys(), func(key string) bool { return !strings.HasSuffix(key, "Image") })
}

// StockImages returns the images that the settings name by default.
func StockImages() []string {
	var images []string
	for _, key := range imageKeys() {
		images = append(images, settings.Default(key))
	}
	return images
}

// chooseImages returns the images in place of the settings' defaults: those that are asked for, that of the variable, and the former ones.
// The mirror stands for Docker Hub, so they have names of that registry.
func chooseImages(asked, former map[string]string) (map[string]string, error) {
	images := maps.Clone(former)
	if image := os.Getenv(postgresVariable); image != "" {
		images[postgresKey] = image
	}
	maps.Copy(images, asked)
	for _, key := range slices.Sorted(maps.Keys(images)) {
		if !slices.Contains(imageKeys(), key) {
			return nil, fmt.Errorf("images: %s is not the setting of an image: use %s", key, strings.Join(imageKeys(), ", "))
		}
		tag, err := name.NewTag(images[key])
		if err != nil {
			return nil, fmt.Errorf("%s: %w: give it a name and a tag, such as %s", key, err, settings.Default(key))
		}
		if tag.RegistryStr() != name.DefaultRegistry {
			return nil, fmt.Errorf("%s: the machines take %s from its own registry, and not from the lab's mirror: give it a name without a registry (docker tag)", key, images[key])
		}
	}
	return images, nil
}

// allImages returns the images that the mirror serves: one for each setting of an image.
func (l *Lab) allImages() []string {
	var images []string
	for _, key := range imageKeys() {
		images = append(images, cmp.Or(l.images[key], settings.Default(key)))
	}
	return images
}

// fetchImages puts the images of the stack's settings into the mirror's folder, from the machine's engine if it has them, or else from their registry.
// It reports whether the folder has changed.
func (l *Lab) fetchImages(ctx context.Context) (changed bool, err error) {
	folder, err := openLayout(l.imagesFolder())
	if err != nil {
		return false, err
	}
	for _, image := range l.allImages() {
		fetched, err := l.fetchImage(ctx, folder, image)
		if err != nil {
			return changed, fmt.Errorf("fetching the image %s: %w", image, err)
		}
		changed = changed || fetched
	}
	return changed, nil
}

// openLayout opens an OCI image layout. If there is none, it makes an empty one.
func openLayout(path string) (layout.Path, error) {
	folder, err := layout.FromPath(path)
	if errors.Is(err, fs.ErrNotExist) {
		return layout.Write(path, empty.Index)
	}
	return folder, err
}

func (l *Lab) fetchImage(ctx context.Context, folder layout.Path, image string) (changed bool, err error) {
	tag, err := name.NewTag(image)
	if err != nil {
		return false, err
	}
	served := tag.RepositoryStr() + ":" + tag.TagStr()
	kept, err := keptIdentity(folder, served)
	if err != nil {
		return false, err
	}
	identity := l.identity(ctx, image)
	if kept != "" && (identity == kept || identity == "") {
		return false, nil
	}
	var fetched v1.Image
	if identity != "" {
		l.say("lab: taking %s from this machine's engine", image)
		saved := filepath.Join(l.folder, "saved.tar")
		defer func() { err = errors.Join(err, os.Remove(saved)) }()
		if _, err := l.docker.run(ctx, "save", "--output", saved, image); err != nil {
			return false, err
		}
		if fetched, err = tarball.ImageFromPath(saved, &tag); err == nil {
			fetched, err = uncompressed(fetched)
		}
		if err != nil {
			return false, err
		}
	} else {
		l.say("lab: pulling %s", image)
		identity = "pulled"
		if fetched, err = remote.Image(tag, remote.WithContext(ctx), remote.WithPlatform(platform())); err != nil {
			return false, err
		}
	}
	return true, folder.ReplaceImage(fetched, match.Annotation(mirror.NameAnnotation, served), layout.WithAnnotations(map[string]string{
		mirror.NameAnnotation: served, identityAnnotation: identity,
	}))
}

// identity returns the ID of an image on the machine's engine, or the empty text.
func (l *Lab) identity(ctx context.Context, image string) string {
	id, err := l.docker.run(ctx, "image", "inspect", "--format", "{{.Id}}", image)
	if err != nil {
		return ""
	}
	return id
}

// keptIdentity returns the ID of an image when it was put into the folder, or the empty text.
func keptIdentity(folder layout.Path, served string) (string, error) {
	index, err := folder.ImageIndex()
	if err != nil {
		return "", err
	}
	content, err := index.IndexManifest()
	if err != nil {
		return "", err
	}
	for _, image := range content.Manifests {
		if image.Annotations[mirror.NameAnnotation] == served {
			return image.Annotations[identityAnnotation], nil
		}
	}
	return "", nil
}

// platform is the platform of the machine and its hosts.
func platform() v1.Platform { return v1.Platform{OS: "linux", Architecture: runtime.GOARCH} }

// registryPatience is how long a registry or a package server may take to answer.
const registryPatience = 10 * time.Second

// missingImages has a line for every image of the stack's settings that neither the machine nor its registry has.
func (l *Lab) missingImages(ctx context.Context) []string {
	var missing []string
	folder, err := layout.FromPath(l.imagesFolder())
	have := err == nil
	for _, image := range l.allImages() {
		tag, err := name.NewTag(image)
		if err != nil {
			missing = append(missing, fmt.Sprintf("image %s: %v", image, err))
			continue
		}
		if have {
			if kept, err := keptIdentity(folder, tag.RepositoryStr()+":"+tag.TagStr()); err == nil && kept != "" {
				continue
			}
		}
		if l.identity(ctx, image) != "" {
			continue
		}
		if err := inRegistry(ctx, tag); err != nil {
			missing = append(missing, fmt.Sprintf("image %s: neither this machine's engine nor its registry has it (%v): "+
				"docker load it, or connect this machine to the internet", image, err))
		}
	}
	return missing
}

// inRegistry returns an error unless an image's registry has it.
func inRegistry(ctx context.Context, reference name.Reference) error {
	ctx, cancel := context.WithTimeout(ctx, registryPatience)
	defer cancel()
	_, err := remote.Head(reference, remote.WithContext(ctx))
	return err
}
