package settings

// DockerVariables returns the environment variables with which Pulumi's docker plugin calls another engine than the node's, or not by SSH.
func DockerVariables() []string {
	return []string{"DOCKER_CONTEXT", "DOCKER_CERT_PATH", "DOCKER_CA_MATERIAL", "DOCKER_CERT_MATERIAL", "DOCKER_KEY_MATERIAL"}
}
