/** The field by which a record is linked to a patient in DrChrono. It is the mapping's, and written with it. */
export const PATIENT_ID = 'DrChrono_Patient_Id__c';
