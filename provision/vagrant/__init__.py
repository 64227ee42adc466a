"""Vagrant's half of the lab: what the Vagrantfile asks of Python, and how Python drives the Vagrantfile.

The two never call each other in a circle: `vagrant up` alone ends by running `python -m provision.vagrant finish`, and
`mcastlab up --provider vagrant` runs `vagrant up --no-provision`. See docs/vagrant.md.
"""
