# Seed 003 in the lab, on the control plane: `mcastlab ssh k8s -- env IMAGE=… SENDER=… bash -s < this file`. SENDER is the
# text of agents/hello/hello-send.py, for nodes have python3 and not our images.
set -eu
KUBECONFIG=$(mktemp) && export KUBECONFIG && cp /etc/kubernetes/admin.conf "$KUBECONFIG"
trap 'kubectl delete namespace seed-003 --wait=false >/dev/null; rm "$KUBECONFIG"' EXIT
kubectl create namespace seed-003
kubectl annotate namespace seed-003 k8s.ovn.org/multicast-enabled=true
kubectl config set-context --current --namespace=seed-003

# In a Kubernetes pod.
kubectl run receiver --image="$IMAGE" --restart=Never -- hello-receive
kubectl wait --for=condition=Ready --timeout=180s pod/receiver

# On a Kubernetes node.
python3 -c "$SENDER" --interface cni0 --count 5
echo "from the node: $(kubectl logs receiver | grep -c 'Hello Multicast!')"

# And in another pod.
kubectl run sender --image="$IMAGE" --restart=Never -- hello-send --count 5
kubectl wait --for=jsonpath='{.status.phase}'=Succeeded --timeout=180s pod/sender
kubectl logs receiver
