/** How a status looks, what it is called, where it is called otherwise than it is held, and what it means. */
const LOOKS = {
    'In step': {
        label: 'Synced',
        icon: 'utility:success',
        variant: 'success',
        says: 'Both systems hold the same.'
    },
    Waiting: {
        label: 'Pending',
        icon: 'utility:clock',
        variant: '',
        says: 'A change is on its way. Nothing needs to be done.'
    },
    'Needs review': { icon: 'utility:warning', variant: 'warning', says: 'A person has to decide.' },
    Failed: { icon: 'utility:error', variant: 'error', says: 'The last change did not get through.' },
    Dismissed: { icon: 'utility:muted', variant: '', says: 'The two systems differ, and somebody has let that be.' },
    'Not linked': { icon: 'utility:unlinked', variant: '', says: 'It belongs to no patient in DrChrono yet.' },
    Excluded: { icon: 'utility:ban', variant: '', says: 'The mapping leaves this record out.' }
};
const NOT_SYNCED = { icon: 'utility:info', variant: '', says: 'The service has not looked at this record yet.' };
const UNKNOWN = { icon: 'utility:info', variant: '', says: '' };

/** Gives what people see of the status that a record's field holds: label, icon, variant and what it says. */
export function lookOf(status) {
    return { label: status || 'Not synced', ...(status ? (LOOKS[status] ?? UNKNOWN) : NOT_SYNCED) };
}
