package cluster_test

import (
	"maps"
	"os"
	"path/filepath"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/kubernetes/pkg/volume/configmap"
	"k8s.io/kubernetes/pkg/volume/secret"
	"k8s.io/kubernetes/pkg/volume/util"
)

// A kubelet has the volumes of one pod on this machine, written by the kubelet's own code: a
// changed file is in a new folder, and a link to the folder is swapped.
type kubelet struct {
	*release
	pod     corev1.Pod
	volumes string // a folder for each volume
}

// mount makes the volumes of a pod.
func (k *kubelet) mount(pod corev1.Pod) {
	k.t.Helper()
	k.pod = pod
	for _, v := range pod.Spec.Volumes {
		if err := os.MkdirAll(filepath.Join(k.volumes, v.Name), 0o700); err != nil {
			k.t.Fatal(err)
		}
	}
	k.sync()
}

// sync brings the files to what the server has.
func (k *kubelet) sync() {
	k.t.Helper()
	for _, v := range k.pod.Spec.Volumes {
		files := k.files(v)
		if files == nil {
			continue
		}
		w, err := util.NewAtomicWriter(filepath.Join(k.volumes, v.Name), "test")
		if err == nil {
			err = w.Write(files, nil)
		}
		if err != nil {
			k.t.Fatal(err)
		}
	}
}

// files returns what a volume has, nil for one that is written by the daemon.
func (k *kubelet) files(v corev1.Volume) map[string]util.FileProjection {
	k.t.Helper()
	switch {
	case v.ConfigMap != nil:
		m, err := k.typed.CoreV1().ConfigMaps(k.namespace).Get(k.t.Context(), v.ConfigMap.Name, metav1.GetOptions{})
		if err != nil {
			k.t.Fatal(err)
		}
		files, err := configmap.MakePayload(v.ConfigMap.Items, m, v.ConfigMap.DefaultMode, false)
		if err != nil {
			k.t.Fatal(err)
		}
		return files
	case v.Projected != nil:
		all := map[string]util.FileProjection{}
		for _, source := range v.Projected.Sources {
			s, err := k.typed.CoreV1().Secrets(k.namespace).Get(k.t.Context(), source.Secret.Name, metav1.GetOptions{})
			if err != nil {
				k.t.Fatal(err)
			}
			files, err := secret.MakePayload(source.Secret.Items, s, v.Projected.DefaultMode, false)
			if err != nil {
				k.t.Fatal(err)
			}
			maps.Copy(all, files)
		}
		return all
	}
	return nil
}

// here returns a path of the container as it is on this machine.
func (k *kubelet) here(path string) string {
	for _, m := range k.pod.Spec.Containers[0].VolumeMounts {
		if rest, ok := strings.CutPrefix(path, m.MountPath+"/"); ok {
			return filepath.Join(k.volumes, m.Name, rest)
		}
	}
	return path
}
