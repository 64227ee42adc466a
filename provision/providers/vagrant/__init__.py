"""Machines by Vagrant: VirtualBox, libvirt or containers, and what the Vagrantfile is handed."""
