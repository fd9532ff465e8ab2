"""From the class names that rows had to the vendors that they are made of, and back; for migrations of both apps."""

import re


def class_name_of(vendor, ending):
    if '::' in vendor:
        return vendor
    return f'ManageIQ::Providers::{vendor[:1].upper()}{vendor[1:]}::{ending}'


def vendor_of(name, ending):
    """A name that can't be made again stays as it is, as a vendor that shows itself."""
    if found := re.fullmatch(f'ManageIQ::Providers::([^:]+)::{ending}', name):
        for vendor in (found[1].lower(), found[1]):
            if class_name_of(vendor, ending) == name:
                return vendor
    return name


def replace(rows, convert, ending):
    """Convert the vendors of some rows, with an UPDATE for each of the few."""
    for vendor in rows.order_by().values_list('vendor', flat=True).distinct():
        rows.filter(vendor=vendor).update(vendor=convert(vendor, ending))
