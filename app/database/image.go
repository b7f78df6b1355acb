package database

import (
	"embed"
	"io/fs"
)

//go:embed image
var image embed.FS

// ImageName is the name of the image of stores and of etcd's members.
const ImageName = "database"

// Image returns the files of the image's context, their texts by their names.
func Image() (map[string]string, error) {
	names, err := fs.Glob(image, "image/*")
	if err != nil {
		return nil, err
	}
	files := map[string]string{}
	for _, name := range names {
		text, err := image.ReadFile(name)
		if err != nil {
			return nil, err
		}
		files[name[len("image/"):]] = string(text)
	}
	return files, nil
}
