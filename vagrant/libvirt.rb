# frozen_string_literal: true

# Machines by libvirt: with the hardware's help, or emulated where there is none.

module Mcastlab
  # Domains, the LAN's network, and the kernel that a box of our own is booted with.
  module Libvirt
    URI = "qemu:///system"
    # Ours alone, so that all of it can go. The emulator runs as a user who cannot see our cache: kernels are here too.
    POOL = "mcastlab"
    FOLDER = "/var/lib/libvirt/mcastlab"
    # Emulated processors count the time of one clock. The kernel does not believe it of AMD's, and reads the HPET instead:
    # a device, for which each processor and its emulator wait in turn.
    EMULATED = " tsc=reliable"

    def self.configure(machine, lab, host, made)
      machine.vm.provider :libvirt do |libvirt, override|
        libvirt.uri = URI
        libvirt.storage_pool_name = POOL
        libvirt.storage_pool_path = FOLDER
        libvirt.default_prefix = "mcastlab-#{lab.name}-"
        libvirt.cpus = lab.vagrant["cpus"]
        libvirt.memory = lab.vagrant["memory_mib"]
        libvirt.graphics_type = "none"
        libvirt.video_type = "none"
        accelerate(libvirt, made)
        override.vm.network :private_network, **lan(lab, host)
        box(libvirt, override, lab, made)
      end
    end

    # `made` says whether hardware virtualisation was seen to work; asked for here, it could only be assumed.
    def self.accelerate(libvirt, made)
      return libvirt.driver = "kvm" if made["kvm"]

      libvirt.driver = "qemu"
      libvirt.cpu_mode = "custom"
      libvirt.cpu_model = "qemu64"
    end

    def self.lan(lab, host)
      network = IPAddr.new(lab.lan["subnet"])
      {
        ip: host["address"], mac: lab.mac(host), auto_config: false,
        libvirt__network_name: "mcastlab-#{lab.name}-lan", libvirt__forward_mode: "none",
        libvirt__dhcp_enabled: false, libvirt__host_ip: lab.lan_address,
        libvirt__netmask: IPAddr.new("255.255.255.255").mask(network.prefix).to_s
      }
    end

    def self.box(libvirt, override, lab, made)
      own = made["box"]
      if lab.vagrant["box"] != "auto" || own.nil?
        override.vm.box = lab.vagrant["box"] == "auto" ? Mcastlab.official_box : lab.vagrant["box"]
        return
      end
      override.vm.box = own["name"]
      override.vm.box_url = "file://#{own['file']}"
      override.ssh.username = "root"
      override.ssh.private_key_path = own["key"]
      override.ssh.insert_key = false
      libvirt.kernel = File.join(FOLDER, "#{own['name']}-kernel")
      libvirt.initrd = File.join(FOLDER, "#{own['name']}-initrd")
      libvirt.cmd_line = own["cmd_line"] + (made["kvm"] ? "" : EMULATED)
    end

    # The machine is reached directly.
    def self.api_port(_machine)
      0
    end

    def self.prepare(_lab, _machine, made)
      make_pool unless virsh?("pool-info", POOL)
      %w[kernel initrd].each { |part| upload(made["box"], part) } if made["box"]
    end

    def self.make_pool
      virsh("pool-define-as", POOL, "dir", "--target", FOLDER)
      virsh("pool-build", POOL)
      virsh("pool-start", POOL)
    end

    def self.upload(box, part)
      name = "#{box['name']}-#{part}"
      return if virsh?("vol-info", "--pool", POOL, name)

      virsh("vol-create-as", POOL, name, File.size(box[part]).to_s, "--format", "raw")
      virsh("vol-upload", "--pool", POOL, name, box[part])
    end

    # The plug-in forgets the network of a machine whose removal was interrupted. The pool serves all labs: it goes with
    # the last machine of any.
    def self.clear(lab)
      lan = "mcastlab-#{lab.name}-lan"
      %w[net-destroy net-undefine].each { |step| virsh?(step, lan) } if virsh?("net-info", lan)
      return if virsh("list", "--all", "--name").split.grep(/^mcastlab-/).any? || !virsh?("pool-info", POOL)

      virsh?("pool-start", POOL)
      virsh("pool-refresh", POOL)
      names = virsh("vol-list", POOL).lines.drop(2).map { |line| line.split.first }.compact
      names.each { |name| virsh("vol-delete", "--pool", POOL, name) }
      %w[pool-destroy pool-delete pool-undefine].each { |step| virsh(step, POOL) }
    end

    def self.virsh(*arguments)
      done = Vagrant::Util::Subprocess.execute("virsh", "--connect", URI, *arguments)
      return done.stdout if done.exit_code.zero?

      raise Failed, message: "virsh #{arguments.join(' ')}\n#{done.stderr}"
    end

    def self.virsh?(*arguments)
      Vagrant::Util::Subprocess.execute("virsh", "--connect", URI, *arguments).exit_code.zero?
    end
  end
end
