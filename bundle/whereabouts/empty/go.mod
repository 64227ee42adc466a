module github.com/k8snetworkplumbingwg/network-attachment-definition-client

go 1.26.0
