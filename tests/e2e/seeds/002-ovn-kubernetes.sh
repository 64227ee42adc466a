# Seed 002 in the lab, on the control plane: `mcastlab ssh k8s -- env IMAGE=… bash -s < this file`. What differs from its text
# is in docs/namespaces.md.
set -eu
KUBECONFIG=$(mktemp) && export KUBECONFIG && cp /etc/kubernetes/admin.conf "$KUBECONFIG"
listening=
trap 'kill $listening; kubectl delete namespace seed-002 --wait=false >/dev/null; rm "$KUBECONFIG"' EXIT
kubectl create namespace seed-002

kubectl annotate namespace seed-002 \
    k8s.ovn.org/multicast-enabled=true

kubectl config set-context --current --namespace=seed-002

cat <<EOF | kubectl create -f -
apiVersion: v1
kind: Pod
metadata:
  name: mlistener
  labels:
    app: multicast-verify
spec:
  containers:
    - name: mlistener
      image: $IMAGE
      command: ["/bin/sh", "-c"]
      args: ["sleep inf"]
      ports:
        - containerPort: 30102
          name: mlistener
          protocol: UDP
EOF

cat <<EOF | kubectl create -f -
apiVersion: v1
kind: Pod
metadata:
  name: msender
  labels:
    app: multicast-verify
spec:
  containers:
    - name: msender
      image: $IMAGE
      command: ["/bin/sh", "-c"]
      args: ["sleep inf"]
EOF
kubectl wait --for=condition=Ready --timeout=180s pod/mlistener pod/msender

POD_IP=$(kubectl get pods mlistener -o jsonpath='{.status.podIP}')

# In a second terminal.
kubectl exec mlistener -i -- \
    socat UDP4-RECVFROM:30102,ip-add-membership=224.1.0.1:$POD_IP,fork EXEC:hostname </dev/null &
listening=$!
until kubectl exec mlistener -- cat /proc/net/igmp | grep -q 010001E0; do sleep 0.5; done

CIDR=$(kubectl get Network.config.openshift.io cluster \
    -o jsonpath='{.status.clusterNetwork[0].cidr}')

# socat waits half a second for an answer, in which a busy machine may not have started `hostname`: typed again then.
answer=
for _ in 1 2 3 4 5; do
  answer=$(kubectl exec msender -i -- \
      /bin/bash -c "echo | socat STDIO UDP4-DATAGRAM:224.1.0.1:30102,range=$CIDR,ip-multicast-ttl=64" </dev/null)
  [ -n "$answer" ] && break
done
echo "answer: $answer"

# Beyond the seed: without the annotation nobody answers.
kubectl annotate namespace seed-002 k8s.ovn.org/multicast-enabled-
sleep 5
echo "answer when disabled: $(kubectl exec msender -i -- \
    /bin/bash -c "echo | socat STDIO UDP4-DATAGRAM:224.1.0.1:30102,range=$CIDR,ip-multicast-ttl=64" </dev/null)"
