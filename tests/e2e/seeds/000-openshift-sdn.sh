# Seed 000 in the lab, on the control plane: `mcastlab ssh k8s -- env IMAGE=… bash -s < this file`. What differs from its text
# is in docs/namespaces.md.
set -eu
KUBECONFIG=$(mktemp) && export KUBECONFIG && cp /etc/kubernetes/admin.conf "$KUBECONFIG"
trap 'kubectl delete namespace seed-000 --wait=false >/dev/null; rm "$KUBECONFIG"' EXIT
kubectl create namespace seed-000
until kubectl get netnamespace seed-000; do sleep 0.5; done

kubectl annotate netnamespace seed-000 \
    netnamespace.network.openshift.io/multicast-enabled=true

kubectl config set-context --current --namespace=seed-000

kubectl create deployment first --image="$IMAGE"
kubectl create deployment second --image="$IMAGE"
kubectl rollout status --timeout=180s deployment/first deployment/second

# Says at most for so many seconds what the log of `first` has until it has it.
until_first_says() {
  for _ in $(seq "$1"); do
    kubectl logs deployment/first | grep "$2" && return
    sleep 1
  done
  echo "first never said: $2"
  kubectl logs deployment/first
  return 1
}
second=$(kubectl get pods -l app=second -o jsonpath='{.items[0].metadata.name}')
until_first_says 30 "found $second"

kubectl scale deployment second --replicas=2
kubectl rollout status --timeout=180s deployment/second
third=$(kubectl get pods -l app=second -o name | grep -v "$second" | cut -d/ -f2)
until_first_says 30 "found $third"

kubectl scale deployment second --replicas=1
until_first_says 60 "is dead"
