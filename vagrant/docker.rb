# frozen_string_literal: true

# Machines as systemd containers, by Docker or by Podman behind its socket (DOCKER_HOST).

module Mcastlab
  # The container of a host, and the networks between them.
  module Docker
    LABEL = "mcastlab.vagrant"

    def self.configure(machine, lab, host, made)
      machine.vm.provider :docker do |docker, override|
        docker.name = container(lab, host)
        docker.image = made["node_image"] || "localhost/mcastlab/node"
        docker.cmd = ["sh", "/opt/mcastlab/init"]
        docker.privileged = true
        docker.has_ssh = true
        docker.env = { "container" => "docker" } # systemd asks for it
        docker.volumes = volumes(made)
        docker.create_args = create_args(lab, host)
        override.vm.hostname = host["name"]
        override.ssh.username = "root"
        override.ssh.private_key_path = made.key
        override.ssh.insert_key = false
        # The network has to be there: a name that Vagrant invents has a slash in it, which Podman refuses.
        override.vm.network :private_network, name: network(lab, "lan"), ip: host["address"], **sixth(lab, host)
        Mcastlab.forward_api(override) if host["role"] == "control-plane"
      end
    end

    def self.prepare(lab, machine, _made)
      missing = %w[mgmt lan].reject { |kind| docker?("network", "inspect", network(lab, kind)) }
      missing.each { |kind| docker("network", "create", *network_args(lab, kind), network(lab, kind)) }
      # Left by a run that was killed before Vagrant knew the container's id.
      host = { "name" => machine.name.to_s }
      docker("rm", "--force", "--volumes", container(lab, host)) if machine.id.nil? && ours?(container(lab, host))
    end

    def self.clear(lab)
      %w[mgmt lan].map { |kind| network(lab, kind) }.each do |name|
        docker("network", "rm", name) if docker?("network", "inspect", name)
      end
    end

    def self.container(lab, host)
      "mcastlab-vagrant-#{lab.name}-#{host['name']}"
    end

    def self.network(lab, kind)
      "mcastlab-vagrant-#{lab.name}-#{kind}"
    end

    def self.volumes(made)
      # An overlay file system cannot be the upper layer of another: containerd needs a real folder.
      found = ["/var/lib/containerd", "#{made.key}.pub:/opt/mcastlab/key.pub:ro"]
      found << "#{File.join(ROOT, 'images', 'vagrant-init')}:/opt/mcastlab/init:ro"
      found << "#{made['bundle']}:/opt/mcastlab/bundle:ro" if made["bundle"]
      found << "/lib/modules:/lib/modules:ro" if File.directory?("/lib/modules")
      found
    end

    def self.create_args(lab, host)
      args = ["--network", network(lab, "mgmt"), "--label", "#{LABEL}=#{lab.name}"]
      args += %w[--pids-limit -1 --stop-signal SIGRTMIN+3]
      args += %w[--tmpfs /run --tmpfs /run/lock --tmpfs /tmp:exec]
      lab.hosts.reject { |other| other["name"] == host["name"] }.each do |other|
        args += ["--add-host", "#{other['name']}:#{other['address']}"]
      end
      args
    end

    def self.network_args(lab, kind)
      args = ["--label", "#{LABEL}=#{lab.name}"]
      return args if kind == "mgmt"

      args += ["--internal", "--subnet", lab.lan["subnet"]]
      args += ["--ipv6", "--subnet", lab.lan["subnet6"]] if lab.dual_stack? && lab.lan["subnet6"]
      args
    end

    def self.sixth(lab, host)
      lab.dual_stack? && host["address6"] ? { docker_connect__ip6: host["address6"] } : {}
    end

    def self.ours?(name)
      docker?("container", "inspect", "--format", "{{index .Config.Labels \"#{LABEL}\"}}", name)
    end

    def self.api_port(machine)
      done = Vagrant::Util::Subprocess.execute("docker", "port", machine.id, "#{API_PORT}/tcp")
      done.exit_code.zero? ? done.stdout.lines.first[/\d+$/] : 0
    end

    def self.docker(*arguments)
      done = Vagrant::Util::Subprocess.execute("docker", *arguments)
      return done.stdout if done.exit_code.zero?

      raise Failed, message: "docker #{arguments.join(' ')}\n#{done.stderr}"
    end

    def self.docker?(*arguments)
      Vagrant::Util::Subprocess.execute("docker", *arguments).exit_code.zero?
    end
  end
end
