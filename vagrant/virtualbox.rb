# frozen_string_literal: true

# Machines by VirtualBox.

module Mcastlab
  API_PORT = 6443

  # Debian's own box of the suite that the containers are made of as well.
  def self.official_box
    suite = YAML.safe_load(File.read(File.join(ROOT, "bundle", "versions.yml")))["debian"]["suite"]
    "debian/#{suite}64"
  end

  # The API server, where this machine reaches it through a forwarded port alone.
  def self.forward_api(override)
    override.vm.network :forwarded_port, id: "api", guest: API_PORT, host: API_PORT, host_ip: "127.0.0.1",
                                         auto_correct: true
  end

  # The LAN is an internal network, a switch that floods: there is nothing to ask and no membership to age out.
  module VirtualBox
    def self.configure(machine, lab, host, _made)
      machine.vm.provider :virtualbox do |virtualbox, override|
        virtualbox.name = "mcastlab-#{lab.name}-#{host['name']}"
        virtualbox.cpus = lab.vagrant["cpus"]
        virtualbox.memory = lab.vagrant["memory_mib"]
        virtualbox.linked_clone = true
        # Pods have addresses of their own: without this the second card drops what is not for the machine's.
        virtualbox.customize ["modifyvm", :id, "--nicpromisc2", "allow-all"]
        override.vm.box = lab.vagrant["box"] == "auto" ? Mcastlab.official_box : lab.vagrant["box"]
        override.vm.network :private_network, ip: host["address"], mac: lab.mac(host).delete(":").upcase,
                                              virtualbox__intnet: "mcastlab-#{lab.name}-lan", auto_config: false
        Mcastlab.forward_api(override) if host["role"] == "control-plane"
      end
    end

    # 0 for a machine without an API server.
    def self.api_port(machine)
      machine.provider.capability(:forwarded_ports).key(API_PORT)
    end

    def self.prepare(_lab, _machine, _made); end

    def self.clear(_lab); end
  end
end
