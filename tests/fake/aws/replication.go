package aws

import "slices"

// replica is a copy of a secret in another region.
type replica struct{ Region, Status string }

// Replicate makes a replica of the secret, as an operator would.
func (s *Server) Replicate(name, region string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found, err := s.findLive(name)
	must(err)
	found.replicas = append(found.replicas, region)
}

// ScheduleDeletion deletes the secret in 30 days, as an operator would.
func (s *Server) ScheduleDeletion(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, err := s.deleteSecret(deleteSecretInput{secretID: secretID{name}})
	must(err)
}

type removeRegionsInput struct {
	secretID
	RemoveReplicaRegions []string
}

type removeRegionsOutput struct {
	ARN               string
	ReplicationStatus []replica
}

// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_RemoveRegionsFromReplication.html
func (s *Server) removeRegions(in removeRegionsInput) (removeRegionsOutput, error) {
	found, err := s.findLive(in.SecretId)
	if err != nil {
		return removeRegionsOutput{}, err
	}
	found.replicas = slices.DeleteFunc(found.replicas, func(region string) bool {
		return slices.Contains(in.RemoveReplicaRegions, region)
	})
	return removeRegionsOutput{ARN: found.ref().ARN}, nil
}

// refuseReplicated: "If you want to delete a secret that is replicated to other
// regions, first remove the replicas."
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_DeleteSecret.html
func refuseReplicated() error {
	return refuse("InvalidParameterException", "You can't delete secret that still has replica regions.")
}
