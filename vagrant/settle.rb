# frozen_string_literal: true

# What every machine gets once it is up, by Vagrant's own connection: the lab's key for root, and on virtual machines
# the host's name and its addresses on the LAN, which boxes cannot have and Vagrant cannot give (IPv6).

module Mcastlab
  # Runs in the machine as root; says the machine's host key.
  module Settle
    AUTHORIZE = <<~SHELL
      install -d -m 700 /root/.ssh
      touch /root/.ssh/authorized_keys
      chmod 600 /root/.ssh/authorized_keys
      grep -qxF '%{key}' /root/.ssh/authorized_keys || echo '%{key}' >>/root/.ssh/authorized_keys
    SHELL

    # By the address of the card, which Vagrantfile and host agree on: whatever the box calls it, it gets the LAN's name.
    NETWORK = <<~SHELL
      [ "$(cat /etc/hostname)" = %{host} ] || hostnamectl set-hostname %{host}
      grep -q '^127.0.1.1 %{host}$' /etc/hosts || echo '127.0.1.1 %{host}' >>/etc/hosts
      found=$(grep -lixF '%{mac}' /sys/class/net/*/address | head -n 1)
      [ -n "$found" ] || { echo 'There is no network card with the address %{mac}' >&2; exit 1; }
      device=$(basename "$(dirname "$found")")
      cat >/run/mcastlab-lan.link <<'FILE'
      [Match]
      MACAddress=%{mac}
      [Link]
      Name=%{interface}
      FILE
      cat >/run/mcastlab-lan.network <<'FILE'
      [Match]
      MACAddress=%{mac}
      Type=ether
      [Link]
      RequiredForOnline=no
      [Network]
      LinkLocalAddressing=ipv6
      IPv6AcceptRA=no
      %{addresses}
      FILE
      changed=
      for kind in link network; do
        target=/etc/systemd/network/10-mcastlab-lan.$kind
        cmp -s /run/mcastlab-lan.$kind "$target" || { cp /run/mcastlab-lan.$kind "$target"; changed=yes; }
        rm /run/mcastlab-lan.$kind
      done
      if [ "$device" != %{interface} ]; then
        ip link set dev "$device" down
        ip link set dev "$device" name %{interface}
      fi
      systemctl is-enabled --quiet systemd-networkd || systemctl enable --quiet systemd-networkd
      systemctl is-active --quiet systemd-networkd || systemctl start systemd-networkd
      [ -z "$changed" ] || { networkctl reload; networkctl reconfigure %{interface}; }
      for n in $(seq 100); do
        ip -4 -o address show dev %{interface} | grep -qF ' %{first} ' && break
        sleep 0.2
      done
      ip -4 -o address show dev %{interface} | grep -qF ' %{first} '
    SHELL

    # An engine calls the second card eth1. Older kernels rename only what is down, which costs it its IPv6 addresses.
    RENAME = <<~SHELL
      if [ ! -e /sys/class/net/%{interface} ] && ! ip link set dev eth1 name %{interface} 2>/dev/null; then
        ip link set dev eth1 down
        ip link set dev eth1 name %{interface}
        ip link set dev %{interface} up
        for address in %{list}; do ip address replace "$address" dev %{interface}; done
      fi
    SHELL

    SAY_KEY = "cat /etc/ssh/ssh_host_ed25519_key.pub\n"

    # Once in a process: by the provisioner, or by the trigger where nothing is provisioned.
    def self.once(machine, lab, made)
      @done ||= {}
      @done[machine.name] ||= run(machine, lab, lab.hosts.find { |host| host["name"] == machine.name.to_s }, made) || true
    end

    def self.run(machine, lab, host, made)
      values = { key: Mcastlab.read("#{made.key}.pub").strip, **network(lab, host) }
      part = machine.provider_name == :docker ? RENAME : NETWORK
      said = +""
      script = "set -eu\n#{format(AUTHORIZE + part, values)}#{SAY_KEY}"
      machine.communicate.sudo(script) { |type, data| said << data if type == :stdout }
      made.pin(host["name"], said[/^ssh-ed25519 \S+/])
    end

    def self.network(lab, host)
      addresses = lab.addresses(host)
      { host: host["name"], mac: lab.mac(host), interface: lab.lan["interface"], first: addresses.first,
        list: addresses.join(" "), addresses: addresses.map { |address| "Address=#{address}" }.join("\n") }
    end
  end
end
