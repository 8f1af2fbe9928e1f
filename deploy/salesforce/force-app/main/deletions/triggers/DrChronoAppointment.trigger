trigger DrChronoAppointment on DrChrono_Appointment__c(after delete, after undelete) {
    DrChronoChanges.told(Trigger.operationType, Trigger.old, Trigger.new);
}
