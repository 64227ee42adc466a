# frozen_string_literal: true

# The provisioner of the last machine: configures and checks the whole lab, all hosts at once.

require "English"

module Mcastlab
  # Shown by Vagrant without a traceback.
  class Failed < Vagrant::Errors::VagrantError
    def error_message
      @extra_data[:message]
    end
  end

  # Hands the machines' SSH endpoints to `python -m provision.cli.vagrantfile finish`, which knows nothing of Vagrant.
  class Finish < Vagrant.plugin("2", :provisioner)
    def provision
      Settle.once(@machine, config.lab, config.made) # `up` provisions before its trigger comes to it
      machines = @machine.env.active_machines.map { |name, provider| @machine.env.machine(name, provider) }
      content = { "provider" => @machine.provider_name, "machines" => machines.to_h { |one| [one.name, endpoint(one)] } }
      file = File.join(config.made.folder, "endpoints.json")
      Mcastlab.write(file, JSON.pretty_generate(content))
      Mcastlab.python("finish", config.lab.file, file)
    end

    private

    def endpoint(machine)
      info = machine.ssh_info or raise Failed, message: "Host '#{machine.name}' is not reachable by SSH yet"
      provider = { virtualbox: VirtualBox, libvirt: Libvirt, docker: Docker }.fetch(machine.provider_name)
      { "address" => info[:host], "port" => info[:port].to_i, "api_port" => provider.api_port(machine).to_i }
    end
  end

  # What the Vagrantfile gives the provisioner.
  class FinishConfig < Vagrant.plugin("2", :config)
    attr_accessor :lab, :made
  end

  # Makes both known to Vagrant.
  class Plugin < Vagrant.plugin("2")
    name "mcastlab"
    config(:mcastlab, :provisioner) { FinishConfig }
    provisioner(:mcastlab) { Finish }
  end
end
